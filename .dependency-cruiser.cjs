// The floor plan as rules. Imports point downwards: a folder imports its own files and folders on later lines.
const floors = [
  ["main", "worker", "cli"],
  ["app", "jobs"],
  ["checkout", "refunds", "reports", "order-feed", "staff-page"],
  ["carts"],
  ["orders"],
  ["payments", "notifications"],
  ["catalog", "promotions"],
  ["auth"],
  ["users"],
  ["events"],
  ["observability", "openapi", "dev"],
  ["provider-client"],
  ["http"],
  ["db"],
  ["redis", "lifecycle"],
  ["config"],
];

/** Matches the files of these folders, and top-level files of these names. */
const pathOf = (names) => `^src/(${names.join("|")})(/|\\.ts$)`;

const upwards = floors.slice(1).map((floor, index) => ({
  name: `${floor.join("-")}-imports-downwards`,
  severity: "error",
  from: { path: pathOf(floor) },
  to: { path: pathOf(floors.slice(0, index + 1).flat()) },
}));

module.exports = {
  forbidden: [
    ...upwards,
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-cycles-of-folders", severity: "error", scope: "folder", from: {}, to: { circular: true } },
    {
      name: "only-app-imports-routes",
      severity: "error",
      from: { pathNot: "^src/app\\.ts$" },
      to: { path: "^src/.*routes\\.ts$" },
    },
  ],
  options: {
    // TypeScript 7 has no parser API for other tools.
    parser: "swc",
    tsPreCompilationDeps: true,
    includeOnly: "^src",
    // Browser modules; tsc checks their imports.
    exclude: "^src/staff-page/.*\\.js$",
    enhancedResolveOptions: { extensions: [".ts"] },
  },
};
