/** A sleep that can be cut short; a ring that comes while nobody sleeps is heard by the next who would. */
export function createBell() {
  let rung = false;
  let hear = () => {};
  return {
    ring() {
      rung = true;
      hear();
    },
    async wait(ms: number) {
      if (!rung)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          hear = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      rung = false;
    },
  };
}
