// A case and its yardstick in alternating rounds, so that what disturbs the machine disturbs both.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Rounds that count; one more before them warms up. */
export const rounds = Number(process.env.BENCH_ROUNDS ?? 5);

export const median = (values: number[]) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** Several figures of one run, by name. */
type Figures = Record<string, number>;

export interface Result {
  case: string;
  figure: string;
  unit: string;
  yardstick: string;
  /** Medians. */
  measured: number;
  against: number;
  /** Of each pair of rounds: the median, and the smallest and largest. */
  ratio: number;
  spread: [number, number];
}

/**
 * Runs both in turns, and prints for each figure the medians and the ratio of each pair, ours to the yardstick's. Gives
 * them too.
 */
export async function compare(
  name: string,
  { unit, yardstick }: { unit: string; yardstick: string },
  ours: () => Promise<Figures>,
  theirs: () => Promise<Figures>,
): Promise<Result[]> {
  const pairs: { ours: Figures; theirs: Figures }[] = [];
  for (let round = 0; round <= rounds; round++) {
    const pair = { theirs: await theirs(), ours: await ours() };
    if (round > 0) pairs.push(pair);
  }
  return Object.keys(pairs[0]!.ours).map((figure) => {
    const ratios = pairs.map((pair) => pair.ours[figure]! / pair.theirs[figure]!);
    const result: Result = {
      case: name,
      figure,
      unit,
      yardstick,
      measured: median(pairs.map((pair) => pair.ours[figure]!)),
      against: median(pairs.map((pair) => pair.theirs[figure]!)),
      ratio: median(ratios),
      spread: [Math.min(...ratios), Math.max(...ratios)],
    };
    print(result);
    return result;
  });
}

const show = (value: number) =>
  value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);

function print({ case: name, figure, unit, yardstick, measured, against, ratio, spread }: Result) {
  const [least, most] = spread.map((value) => value.toFixed(2));
  console.log(
    `${name}, ${figure}: ${show(measured)} ${unit}; ${yardstick}: ${show(against)} ${unit}; ` +
      `ratio ${ratio.toFixed(2)} (${least} to ${most})`,
  );
}

/** Leaves the results of a case beside it. */
export const keep = (name: string, results: unknown) =>
  writeFile(join(import.meta.dirname, `${name}.json`), `${JSON.stringify(results, null, 2)}\n`);
