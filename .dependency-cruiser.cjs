// The floor plan as rules. Imports point downwards: a folder may import the folders on later lines, and its own files.
const floors = [
  ["main", "worker", "cli"],
  ["app", "jobs"],
  ["checkout", "refunds", "order-feed", "staff-page"],
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

/** Matches the files of these folders, or top-level files of these names. */
const pathOf = (names) => `^src/(${names.join("|")})(/|\\.ts$)`;

const upwards = floors.flatMap((floor, index) => {
  const above = floors.slice(0, index).flat();
  return above.length === 0
    ? []
    : [
        {
          name: `${floor.join("-")}-imports-downwards`,
          severity: "error",
          from: { path: pathOf(floor) },
          to: { path: pathOf(above) },
        },
      ];
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-cycles-of-folders",
      severity: "error",
      scope: "folder",
      from: {},
      to: { circular: true },
    },
    ...upwards,
    {
      name: "only-app-imports-routes",
      severity: "error",
      from: { pathNot: "^src/app\\.ts$" },
      to: { path: "^src/.*routes\\.ts$" },
    },
    {
      name: "tests-are-not-imported",
      severity: "error",
      from: { path: "^src" },
      to: { path: "^test" },
    },
    {
      name: "resolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    parser: "swc",
    doNotFollow: { path: "node_modules" },
    includeOnly: "^src",
    exclude: "^src/staff-page/.*\\.js$",
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: [".ts", ".js"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node"],
    },
  },
};
