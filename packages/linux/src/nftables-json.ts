/** The JSON commands and objects of libnftables. Source: libnftables-json(5). Types only. */

/** Address family of a table. */
export type NftFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';

/** Where a base chain hooks into the path of a packet. */
export type NftHook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';

export interface NftTable {
  readonly family: NftFamily;
  readonly name: string;
  readonly handle?: number;
  /** `dormant`: its base chains are not hooked in. */
  readonly flags?: string | readonly string[];
  readonly comment?: string;
}

export interface NftChain {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  readonly handle?: number;
  /** With `hook` and `prio`, makes it a base chain. */
  readonly type?: 'filter' | 'nat' | 'route';
  readonly hook?: NftHook;
  /** Lower runs earlier; 0 is the filter's usual place, -100 that of destination NAT, 100 that of source NAT. */
  readonly prio?: number;
  readonly dev?: string;
  readonly policy?: 'accept' | 'drop';
  readonly comment?: string;
}

export interface NftRule {
  readonly family: NftFamily;
  readonly table: string;
  readonly chain: string;
  readonly expr: readonly NftStatement[];
  readonly handle?: number;
  /** Where to put it: the position among the chain's rules. */
  readonly index?: number;
  readonly comment?: string;
}

/** The type of a set's elements: one word, or several for a concatenation. */
export type NftSetType = string | readonly string[];

export interface NftSet {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  readonly handle?: number;
  readonly type: NftSetType;
  readonly flags?: NftSetFlag | readonly NftSetFlag[];
  readonly elem?: readonly NftElementValue[];
  /** Seconds. */
  readonly timeout?: number;
  readonly 'gc-interval'?: number;
  readonly size?: number;
  readonly policy?: 'performance' | 'memory';
  readonly 'auto-merge'?: boolean;
  readonly comment?: string;
}

export type NftSetFlag = 'constant' | 'interval' | 'timeout' | 'dynamic';

/**
 * A set whose elements lead to a value. libnftables 1.0.6 takes a single word for the value's type in JSON; of a
 * concatenation it makes a plain set without a word. Such a map is made with `run('add map ...')`; its elements
 * can be added in JSON.
 */
export interface NftMap extends NftSet {
  /** Type of the values: `ipv4_addr`, `inet_service`, ..., or `verdict`. */
  readonly map: string;
}

/** Elements of a set (values) or of a map (pairs of key and value). */
export interface NftElement {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  readonly elem: readonly NftElementValue[];
}

/** A key, or for a map `[key, value]`. A key with a timeout or a comment is `{ elem: { val, ... } }`. */
export type NftElementValue =
  | NftExpression
  | readonly [key: NftExpression, value: NftExpression | NftVerdict];

export interface NftCounter {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  readonly handle?: number;
  readonly packets?: number;
  readonly bytes?: number;
}

/** What a reference needs: a name or a handle. */
type Reference<T extends { family: NftFamily }> = Pick<T, 'family'> & {
  readonly table: string;
  readonly name?: string;
  readonly handle?: number;
};

/** An object as `list` gives it and `add` takes it. */
export type NftObject =
  | { readonly table: NftTable }
  | { readonly chain: NftChain }
  | { readonly rule: NftRule }
  | { readonly set: NftSet }
  | { readonly map: NftMap }
  | { readonly element: NftElement }
  | { readonly counter: NftCounter }
  | { readonly [kind: string]: unknown };

/** One command of a transaction. */
export type NftCommand =
  /** Makes it, or leaves it as it is where it exists (a rule is always added). */
  | {
      readonly add:
        | { readonly table: NftTable }
        | { readonly chain: NftChain }
        | { readonly rule: NftRule }
        | { readonly set: NftSet }
        | { readonly map: NftMap }
        | { readonly element: NftElement }
        | { readonly counter: NftCounter }
        | { readonly 'ct helper': object }
        | { readonly quota: object }
        | { readonly limit: object };
    }
  /** Makes it; EEXIST where it exists. */
  | {
      readonly create:
        | { readonly table: NftTable }
        | { readonly chain: NftChain }
        | { readonly set: NftSet }
        | { readonly map: NftMap }
        | { readonly element: NftElement }
        | { readonly counter: NftCounter };
    }
  /** Puts a rule at the front of its chain, or before the one that `index` or `handle` names. */
  | { readonly insert: { readonly rule: NftRule } }
  /** Puts a rule in place of the one with its `handle`. */
  | { readonly replace: { readonly rule: NftRule & { readonly handle: number } } }
  /** ENOENT where it does not exist. */
  | {
      readonly delete:
        | { readonly table: Pick<NftTable, 'family'> & Partial<Pick<NftTable, 'name' | 'handle'>> }
        | { readonly chain: Reference<NftChain> }
        | { readonly rule: Pick<NftRule, 'family' | 'table' | 'chain'> & { readonly handle: number } }
        | { readonly set: Reference<NftSet> }
        | { readonly map: Reference<NftMap> }
        | { readonly element: NftElement }
        | { readonly counter: Reference<NftCounter> };
    }
  /** Empties it. */
  | {
      readonly flush:
        | { readonly table: Pick<NftTable, 'family' | 'name'> }
        | { readonly chain: Pick<NftChain, 'family' | 'table' | 'name'> }
        | { readonly set: Pick<NftSet, 'family' | 'table' | 'name'> }
        | { readonly map: Pick<NftMap, 'family' | 'table' | 'name'> }
        | { readonly ruleset: null };
    }
  | {
      readonly rename: { readonly chain: Pick<NftChain, 'family' | 'table' | 'name'> & { newname: string } };
    };

/** What happens to the packet. */
export type NftVerdict =
  | { readonly accept: null }
  | { readonly drop: null }
  | { readonly continue: null }
  | { readonly return: null }
  | { readonly jump: { readonly target: string } }
  | { readonly goto: { readonly target: string } };

/** One step of a rule. */
export type NftStatement =
  | NftVerdict
  | {
      readonly match: {
        readonly op: NftOperator;
        readonly left: NftExpression;
        readonly right: NftExpression;
      };
    }
  | { readonly counter: null | string | { readonly packets?: number; readonly bytes?: number } }
  | { readonly mangle: { readonly key: NftExpression; readonly value: NftExpression } }
  | { readonly vmap: { readonly key: NftExpression; readonly data: NftExpression } }
  | { readonly snat: NftNat | null }
  | { readonly dnat: NftNat | null }
  | { readonly masquerade: Omit<NftNat, 'addr'> | null }
  | { readonly redirect: Omit<NftNat, 'addr'> | null }
  | { readonly reject: null | { readonly type: string; readonly expr?: NftExpression } }
  | { readonly log: null | { readonly prefix?: string; readonly group?: number; readonly level?: string } }
  | { readonly limit: NftLimit | string }
  | { readonly notrack: null }
  | {
      readonly set: {
        readonly op: 'add' | 'update' | 'delete';
        readonly elem: NftExpression;
        readonly set: string;
      };
    }
  | { readonly quota: { readonly val: number; readonly val_unit?: string; readonly inv?: boolean } | string }
  | { readonly 'ct count': { readonly val: number; readonly inv?: boolean } }
  | { readonly 'ct helper': NftExpression }
  | { readonly queue: { readonly num?: NftExpression; readonly flags?: string | readonly string[] } }
  | {
      readonly tproxy: {
        readonly family?: string;
        readonly addr?: NftExpression;
        readonly port?: NftExpression;
      };
    };

export interface NftLimit {
  readonly rate: number;
  readonly per: 'second' | 'minute' | 'hour' | 'day' | 'week';
  /** Of `rate`: packets, or bytes in this unit. @default 'packets' */
  readonly rate_unit?: string;
  readonly burst?: number;
  readonly burst_unit?: string;
  /** Match what exceeds the rate. @default false */
  readonly inv?: boolean;
}

export type NftOperator = '==' | '!=' | '<' | '>' | '<=' | '>=' | 'in';

export interface NftNat {
  readonly addr?: NftExpression;
  readonly family?: 'ip' | 'ip6';
  readonly port?: NftExpression;
  readonly flags?: NftNatFlag | readonly NftNatFlag[];
}

export type NftNatFlag = 'random' | 'fully-random' | 'persistent';

/** A value: what a packet has, a constant, or a set of constants (`@name` refers to a named set). */
export type NftExpression =
  | string
  | number
  | boolean
  | readonly NftExpression[]
  | { readonly payload: { readonly protocol: string; readonly field: string } }
  | { readonly meta: { readonly key: string } }
  | {
      readonly ct: {
        readonly key: string;
        readonly family?: 'ip' | 'ip6';
        readonly dir?: 'original' | 'reply';
      };
    }
  | {
      readonly fib: {
        readonly result: 'oif' | 'oifname' | 'type';
        readonly flags: string | readonly string[];
      };
    }
  | { readonly prefix: { readonly addr: NftExpression; readonly len: number } }
  | { readonly range: readonly [from: NftExpression, to: NftExpression] }
  | { readonly concat: readonly NftExpression[] }
  | { readonly set: readonly NftElementValue[] }
  | { readonly map: { readonly key: NftExpression; readonly data: NftExpression } }
  | { readonly elem: { readonly val: NftExpression; readonly timeout?: number; readonly comment?: string } }
  | { readonly '|': readonly [NftExpression, NftExpression] }
  | { readonly '&': readonly [NftExpression, NftExpression] }
  | { readonly '^': readonly [NftExpression, NftExpression] }
  | { readonly '<<': readonly [NftExpression, NftExpression] }
  | { readonly '>>': readonly [NftExpression, NftExpression] }
  | { readonly exthdr: { readonly name: string; readonly field?: string; readonly offset?: number } }
  | { readonly 'tcp option': { readonly name: string; readonly field?: string } }
  | { readonly rt: { readonly key: 'classid' | 'nexthop' | 'mtu'; readonly family?: 'ip' | 'ip6' } }
  | { readonly socket: { readonly key: string } }
  | { readonly numgen: { readonly mode: 'inc' | 'random'; readonly mod: number; readonly offset?: number } }
  | { readonly jhash: { readonly mod: number; readonly expr: NftExpression; readonly seed?: number } };
