/**
 * Whether the kernel holds what it should: sets element by element, rules by their comments, which name each of them
 * within its chain. What a rule says is not compared: libnftables gives it back in other words. Pure.
 */
import type { NftCommand, NftObject } from '@seaway/linux/nftables-json';
import { formatAddress, parseAddress } from '../base/address.ts';

/** What the kernel lacks, and what it has beyond that, in phrases such as `rule "replies" in chain forward of inet seaway`. */
export interface RulesetDifference {
  readonly missing: readonly string[];
  readonly foreign: readonly string[];
}

export function isSameRuleset({ missing, foreign }: RulesetDifference): boolean {
  return missing.length === 0 && foreign.length === 0;
}

/** How often each rule or element is in a chain or set. */
type Contents = Map<string, number>;
/** By table (`inet seaway`) and by chain or set (`chain forward`). */
type Tables = Map<string, Map<string, Contents>>;

/** Of one chain or set more are counted and not named. */
const NAMED = 3;

/**
 * @param wanted commands that put the whole ruleset in place of whatever was there
 * @param there what the kernel lists of our tables
 */
export function compareRulesets(
  wanted: readonly NftCommand[],
  there: readonly NftObject[],
): RulesetDifference {
  const should: Tables = new Map();
  for (const command of wanted) follow(should, command);
  const has: Tables = new Map();
  for (const object of there) note(has, object);
  return { missing: subtract(should, has), foreign: subtract(has, should) };
}

interface Part {
  readonly family: string;
  readonly table?: string;
  readonly name: string;
  readonly chain?: string;
  readonly comment?: string;
  readonly elem?: readonly unknown[];
}

function follow(tables: Tables, command: NftCommand): void {
  if ('add' in command) note(tables, command.add);
  if ('flush' in command) {
    const [[kind, part]] = Object.entries(command.flush) as [[string, Part]];
    // Maps are made in another language, see `mapDefinitions`: that one is emptied says that it is there.
    if (kind === 'map') note(tables, { map: part });
    tables.get(`${part?.family} ${part?.table}`)?.get(`${kind} ${part?.name}`)?.clear();
  }
  if (!('delete' in command)) return;
  const [[kind, part]] = Object.entries(command.delete) as [[string, Part]];
  if (kind === 'table') tables.delete(`${part.family} ${part.name}`);
  else tables.get(`${part.family} ${part.table}`)?.delete(`${kind} ${part.name}`);
}

function note(tables: Tables, object: NftObject): void {
  for (const [kind, part] of Object.entries(object) as [string, Part][]) {
    const table = entryOf(tables, `${part.family} ${kind === 'table' ? part.name : part.table}`);
    if (kind === 'table') continue;
    if (kind === 'rule') {
      const rule = part.comment === undefined ? 'a rule without a comment' : `rule "${part.comment}"`;
      const rules = entryOf(table, `chain ${part.chain}`);
      rules.set(rule, (rules.get(rule) ?? 0) + 1);
      continue;
    }
    // Elements do not say whether they go to a set or a map.
    const holder = kind !== 'element' ? kind : table.has(`map ${part.name}`) ? 'map' : 'set';
    const elements = entryOf(table, `${holder} ${part.name}`);
    for (const value of part.elem ?? []) elements.set(`element ${formatElement(value)}`, 1);
  }
}

/** The inner map of that key, which is made where there is none. */
function entryOf<Value>(map: Map<string, Map<string, Value>>, key: string): Map<string, Value> {
  const inner = map.get(key) ?? new Map<string, Value>();
  map.set(key, inner);
  return inner;
}

/** As nft(8) writes it: `tcp . 8080 : 172.17.0.2 . 80`. */
function formatElement(value: unknown): string {
  if (Array.isArray(value)) return value.map(formatElement).join(' : ');
  if (typeof value === 'object' && value !== null && 'concat' in value) {
    return (value.concat as unknown[]).map(formatElement).join(' . ');
  }
  const address = typeof value === 'string' && value.includes(':') ? parseAddress(value) : undefined;
  if (address) return formatAddress(address);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** What of the first the second lacks; of what is missing altogether no parts are told. */
function subtract(one: Tables, other: Tables): string[] {
  return [...one].flatMap(([table, holders]) => {
    const there = other.get(table);
    if (!there) return [`table ${table}`];
    return [...holders].flatMap(([holder, contents]) => {
      const known = there.get(holder);
      if (!known) return [`${holder} of ${table}`];
      return describe(lacking(contents, known), `${holder} of ${table}`);
    });
  });
}

function lacking(contents: Contents, known: Contents): string[] {
  return [...contents].flatMap(([thing, amount]) => (amount > (known.get(thing) ?? 0) ? [thing] : []));
}

function describe(things: readonly string[], where: string): string[] {
  const rest = things.length - NAMED;
  return [
    ...things.slice(0, NAMED).map((thing) => `${thing} in ${where}`),
    ...(rest > 0 ? [`${rest} more in ${where}`] : []),
  ];
}
