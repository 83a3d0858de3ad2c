/** The types of the list of the reference's symbols. */

/** The kind of a symbol. */
export type SymbolKind =
  | "function"
  | "class"
  | "method"
  | "attribute"
  | "exception"
  | "record"
  | "field"
  | "constant"
  | "config key"
  | "event";

/** A test by its file in this folder and its title. */
export interface TestReference {
  readonly file: string;
  readonly title: string;
}

/** One symbol and its counterpart. */
export interface SeedSymbol {
  readonly seed: string;
  readonly kind: SymbolKind;
  /** `name`, or `Class.member`; null if there is deliberately none, and `difference` says why. */
  readonly twin: string | null;
  /** The version of the binding in which it appeared or disappeared. */
  readonly version?: string;
  /** The differences apart from the spelling of the name. */
  readonly difference?: string;
  /** Whether the name differs from the rule's; then `difference` says why. */
  readonly renamed?: true;
  readonly test: TestReference | null;
}

/** A part of the list, which is a chapter of the page. */
export interface SymbolGroup {
  readonly title: string;
  readonly symbols: readonly SeedSymbol[];
}

/** Further facts about a symbol. */
export interface Extra {
  readonly difference?: string;
  readonly version?: string;
  readonly renamed?: true;
}

const test = (file: string, title: string): TestReference => ({ file, title });

/** A test of that title in `client.test.ts`. */
export const client = (title: string) => test("client.test.ts", title);
/** A test of that title in `pigeonhole.test.ts`. */
export const boxes = (title: string) => test("pigeonhole.test.ts", title);
/** A test of that title in `names.test.ts`. */
export const names = (title: string) => test("names.test.ts", title);

/**
 * The rule: `snake_case` becomes camelCase, acronyms are words, classes and constants keep their
 * names.
 */
export function mechanicalName(seed: string): string {
  const last = seed.slice(seed.lastIndexOf(".") + 1);
  if (/^[A-Z][A-Z0-9_]*$/.test(last)) return last;
  if (/^[A-Z]/.test(last)) return last;
  return last.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Symbols whose counterparts follow from the rule, all covered by one test. */
export function ruled(
  kind: SymbolKind,
  owner: string,
  seeds: readonly string[],
  reference: TestReference,
  extra: Extra = {},
): SeedSymbol[] {
  const prefix = owner === "" ? "" : `${owner}.`;
  return seeds.map((seed) => ({
    seed: prefix + seed,
    kind,
    twin: prefix + mechanicalName(seed),
    test: reference,
    ...extra,
  }));
}

/** A symbol whose counterpart has the name that the rule gives. */
export function one(
  kind: SymbolKind,
  seed: string,
  twin: string,
  reference: TestReference,
  extra: Extra = {},
): SeedSymbol {
  return { seed, kind, twin, test: reference, ...extra };
}

/** A symbol whose counterpart has another name. */
export function renamed(
  kind: SymbolKind,
  seed: string,
  twin: string,
  reference: TestReference,
  difference: string,
  version?: string,
): SeedSymbol {
  const since = version === undefined ? {} : { version };
  return { seed, kind, twin, test: reference, difference, renamed: true, ...since };
}

/** A symbol without a counterpart. */
export function none(kind: SymbolKind, seed: string, difference: string): SeedSymbol {
  return { seed, kind, twin: null, difference, test: null };
}
