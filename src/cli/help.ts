/** `--help` and `--version`, on every command; help fits a terminal of 80 columns. */
import type { Command, CommandContext, RouteMap, StricliIntegration } from "@stricli/core";
import { EXAMPLES } from "./flags.js";
import { wrap } from "./text.js";

const WIDTH = 80;

/** Commands under a heading, in the order in which help lists them. */
export type CommandGroups = Readonly<Record<string, readonly string[]>>;

type Target = Command<CommandContext> | RouteMap<CommandContext>;
type FlagRow = readonly [alias: string, flag: string, brief: string];

/**
 * `--help`: lists the commands in groups or the subcommands of a command, or shows one command with
 * its flags and examples.
 */
export function helpIntegration(groups: CommandGroups): StricliIntegration<CommandContext> {
  return {
    flag: {
      brief: "Show this help",
      aliases: ["h"],
      global: true,
      complete: true,
      defaultForRouteMap: true,
      run(_app, { result, ansiColorByStream }) {
        const bold = (text: string): string =>
          ansiColorByStream.stdout ? `\x1b[1m${text}\x1b[22m` : text;
        const target = result.target as Target;
        const lines =
          "getAllEntries" in target
            ? result.prefix.length > 1
              ? mapHelp(target, result.prefix, bold)
              : rootHelp(target, groups, bold)
            : commandHelp(target, result.prefix, bold);
        this.process.stdout.write(`${lines.join("\n")}\n`);
      },
    },
  };
}

/** `--version`. */
export function versionIntegration(version: string): StricliIntegration<CommandContext> {
  return {
    flag: {
      brief: "Show the version",
      aliases: ["V"],
      global: true,
      complete: true,
      run() {
        this.process.stdout.write(`${version}\n`);
      },
    },
  };
}

const helpRows: readonly FlagRow[] = [
  ["-h", "--help", "Show this help"],
  ["-V", "--version", "Show the version"],
];

function rootHelp(
  root: RouteMap<CommandContext>,
  groups: CommandGroups,
  bold: (text: string) => string,
): string[] {
  const briefs = briefsOf(root);
  const widest = Math.max(...[...briefs.keys()].map((name) => name.length));
  const lines = [root.brief, "", bold("USAGE"), "  katz COMMAND [FLAGS]"];
  for (const [heading, names] of Object.entries(groups)) {
    const rows = names.map((name) => [name, briefs.get(name) ?? ""] as const);
    lines.push("", bold(heading), ...briefLines(rows, widest));
  }
  lines.push("", "`katz COMMAND --help` says more. Networks started here give no anonymity.");
  return lines;
}

/** The help of a command that has subcommands. */
function mapHelp(
  map: RouteMap<CommandContext>,
  prefix: readonly string[],
  bold: (text: string) => string,
): string[] {
  const [description = map.brief, examples = ""] = (map.fullDescription ?? map.brief).split(
    EXAMPLES,
  );
  const briefs = briefsOf(map);
  return [
    bold("USAGE"),
    `  ${prefix.join(" ")} COMMAND [FLAGS]`,
    "",
    ...paragraphs(description),
    "",
    bold("COMMANDS"),
    ...briefLines([...briefs]),
    "",
    bold("FLAGS"),
    ...flagLines(helpRows),
    "",
    bold("EXAMPLES"),
    ...examples.split("\n").map((line) => `  ${line}`),
    "",
    `\`${prefix.join(" ")} COMMAND --help\` says more.`,
  ];
}

function briefsOf(map: RouteMap<CommandContext>): ReadonlyMap<string, string> {
  const shown = map.getAllEntries().filter((entry) => !entry.hidden);
  return new Map(shown.map((entry) => [entry.name.original, entry.target.brief] as const));
}

/** Terms with what they mean beside them, broken so that they fit. */
function briefLines(
  rows: readonly (readonly [term: string, brief: string])[],
  widest = 0,
): string[] {
  const width = Math.max(widest, ...rows.map(([term]) => term.length));
  return rows.flatMap(([term, brief]) =>
    wrap(brief, WIDTH - width - 4).map(
      (part, i) => `  ${(i === 0 ? term : "").padEnd(width)}  ${part}`,
    ),
  );
}

function commandHelp(
  { parameters, brief, fullDescription }: Command<CommandContext>,
  prefix: readonly string[],
  bold: (text: string) => string,
): string[] {
  const [description = brief, examples] = (fullDescription ?? brief).split(EXAMPLES);
  const positional = positionals(parameters.positional);
  const words = [...requiredFlags(parameters), ...positional.map(({ usage }) => usage)];
  const usage = [...prefix, ...words, "[FLAGS]"].join(" ");
  const lines = [bold("USAGE"), `  ${usage}`, "", ...paragraphs(description)];
  if (positional.length > 0) {
    const rows = positional.map((p) => [p.name, p.brief] as const);
    lines.push("", bold("ARGUMENTS"), ...briefLines(rows));
  }
  lines.push("", bold("FLAGS"), ...flagLines([...flagRows(parameters), ...helpRows]));
  if (examples !== undefined) {
    lines.push("", bold("EXAMPLES"), ...examples.split("\n").map((line) => `  ${line}`));
  }
  return lines;
}

function flagLines(rows: readonly FlagRow[]): string[] {
  return briefLines(rows.map(([alias, flag, brief]) => [`${alias.padEnd(2)} ${flag}`, brief]));
}

function paragraphs(text: string): string[] {
  return text
    .split("\n\n")
    .flatMap((paragraph, i) => [
      ...(i === 0 ? [] : [""]),
      ...wrap(paragraph.replaceAll("\n", " "), WIDTH),
    ]);
}

function positionals(
  positional: Command<CommandContext>["parameters"]["positional"],
): { name: string; brief: string; usage: string }[] {
  if (positional === undefined) return [];
  if (positional.kind === "array") {
    const { placeholder = "ARG", brief } = positional.parameter;
    // An optional argument. It may be declared as a list only to detect surplus arguments.
    const one = /^\[(.*)\]$/.exec(placeholder)?.[1];
    if (one !== undefined) return [{ name: one, brief, usage: placeholder }];
    const least = positional.minimum ?? 0;
    return [
      { name: placeholder, brief, usage: least > 0 ? `${placeholder}…` : `[${placeholder}…]` },
    ];
  }
  return positional.parameters.map(({ placeholder = "ARG", brief, optional, default: value }) => ({
    name: placeholder,
    brief: value === undefined ? brief : `${brief} (${value} unless given)`,
    usage: optional || value !== undefined ? `[${placeholder}]` : placeholder,
  }));
}

/** The required flags, as usage shows them. */
function requiredFlags({ flags = {} }: Command<CommandContext>["parameters"]): string[] {
  return Object.entries(flags).flatMap(([name, flag]) => {
    const isRequired = flag.kind === "parsed" && !flag.optional && flag.default === undefined;
    return isRequired ? [`--${name} ${flag.placeholder ?? "VALUE"}`] : [];
  });
}

function flagRows({ flags = {}, aliases = {} }: Command<CommandContext>["parameters"]): FlagRow[] {
  return Object.entries(flags).flatMap(([name, flag]): FlagRow[] => {
    if ("hidden" in flag && flag.hidden) return [];
    const letter = Object.entries(aliases).find(([, of]) => of === name)?.[0];
    const kebab = name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`);
    const choices = flag.kind === "enum" ? flag.values.join("|") : undefined;
    const value = flag.kind === "boolean" ? "" : ` ${flag.placeholder ?? choices ?? "VALUE"}`;
    const standard =
      flag.kind !== "boolean" && "default" in flag && flag.default !== undefined
        ? ` (${String(flag.default)})`
        : "";
    return [[letter ? `-${letter}` : "", `--${kebab}${value}`, `${flag.brief}${standard}`]];
  });
}
