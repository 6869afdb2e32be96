/** Building blocks of rulesets in libnftables' JSON form (libnftables-json(5)). Pure. */
import type {
  NftChain,
  NftCommand,
  NftExpression,
  NftFamily,
  NftOperator,
  NftStatement,
} from '@seaway/linux/nftables-json';

/** All our tables, one in each of nf_tables' families that we use. */
export const tableName = 'seaway';

export const meta = (key: string): NftExpression => ({ meta: { key } });
export const match = (left: NftExpression, op: NftOperator, right: NftExpression): NftStatement => ({
  match: { op, left, right },
});
export const concat = (...parts: NftExpression[]): NftExpression => ({ concat: parts });
export const field = (protocol: string, name: string): NftExpression => ({
  payload: { protocol, field: name },
});

export function addChain(
  family: NftFamily,
  name: string,
  type: NftChain['type'],
  hook: NftChain['hook'],
  prio: number,
): NftCommand {
  const chain: NftChain = { family, table: tableName, name, type, hook, prio, policy: 'accept' };
  return { add: { chain } };
}

export function addRule(family: NftFamily, chain: string, comment: string, expr: NftStatement[]): NftCommand {
  return { add: { rule: { family, table: tableName, chain, comment, expr } } };
}
