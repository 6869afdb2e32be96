/**
 * Rules that rewrite ports on a namespace's loopback, there and back, without connection tracking. They are one
 * nf_tables table with one chain and few rules, so they are written as netlink messages here: this needs no library,
 * and unlike libnftables, which calls select(2), it works in processes with more than 1024 open descriptors.
 *
 * Works because such packets never leave the loopback device: their checksums are filled in later or changed along.
 * Sources: linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, nft(8).
 */
import {
  attributeTable,
  bytes,
  type Codec,
  cString,
  type Decoded,
  eachAttribute,
  namedData,
  struct,
  u8,
  u16be,
  u32,
  u32be,
  Writer,
  writeAttribute,
} from './codec.ts';
import { NLM_F_APPEND, NLM_F_CREATE } from './message.ts';
import { type NetlinkRequest, NetlinkSocket, type NetlinkSocketOptions } from './socket.ts';

/** Packets that programs of the namespace send to a port of an address arrive at another one; answers come from it. */
export interface PortRewrite {
  readonly protocol: 'udp' | 'tcp';
  /** An IPv4 address of the loopback device. */
  readonly address: string;
  /** What programs mean. */
  readonly port: number;
  /** Where the service is. */
  readonly actualPort: number;
}

const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;

const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;
const NFT_MSG_DELRULE = 8;

const NFPROTO_UNSPEC = 0;
const NFPROTO_IPV4 = 2;

/** Before connection tracking (NF_IP_PRI_CONNTRACK, -200). Source: linux/netfilter_ipv4.h. */
const NF_IP_PRI_RAW = -300;
const NF_INET_LOCAL_OUT = 3;
const NF_ACCEPT = 1;

const NFT_REG_VERDICT = 0;
const NFT_REG_1 = 1;
const NFT_META_OIF = 5;
const NFT_META_L4PROTO = 16;
const NFT_CMP_EQ = 0;
const NFT_CMP_NEQ = 1;
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_PAYLOAD_TRANSPORT_HEADER = 2;
const NFT_PAYLOAD_CSUM_INET = 1;

/** The loopback device is the first of every namespace. Source: net/core/dev.h, LOOPBACK_IFINDEX. */
const LOOPBACK_INDEX = 1;

/** Offsets in the headers. Sources: RFC 791, RFC 768, RFC 9293. */
const IPV4_SOURCE = 12;
const IPV4_DESTINATION = 16;
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const protocols = { udp: { number: 17, checksum: 6 }, tcp: { number: 6, checksum: 16 } } as const;

const CHAIN = 'output';

/** struct nfgenmsg. */
const nfgenmsg = struct(4, { family: [0, u8], version: [1, u8], resource: [2, u16be] });

const tableAttributes = attributeTable({ name: { id: 1, as: cString(256) } }); // NFTA_TABLE_NAME

const chainAttributes = attributeTable({
  table: { id: 1, as: cString(256) }, // NFTA_CHAIN_TABLE
  name: { id: 3, as: cString(256) }, // NFTA_CHAIN_NAME
  hook: {
    id: 4, // NFTA_CHAIN_HOOK
    as: attributeTable({ number: { id: 1, as: u32be }, priority: { id: 2, as: u32be } }), // NFTA_HOOK_*
  },
  policy: { id: 5, as: u32be }, // NFTA_CHAIN_POLICY
  type: { id: 7, as: cString(32) }, // NFTA_CHAIN_TYPE
});

/** NFTA_DATA_VALUE and NFTA_DATA_VERDICT with NFTA_VERDICT_CODE. */
const dataAttributes = attributeTable({
  value: { id: 1, as: bytes },
  verdict: { id: 2, as: attributeTable({ code: { id: 1, as: u32be } }) },
});

const metaAttributes = attributeTable({
  register: { id: 1, as: u32be }, // NFTA_META_DREG
  key: { id: 2, as: u32be }, // NFTA_META_KEY
});

const cmpAttributes = attributeTable({
  register: { id: 1, as: u32be }, // NFTA_CMP_SREG
  operator: { id: 2, as: u32be }, // NFTA_CMP_OP
  data: { id: 3, as: dataAttributes }, // NFTA_CMP_DATA
});

const immediateAttributes = attributeTable({
  register: { id: 1, as: u32be }, // NFTA_IMMEDIATE_DREG
  data: { id: 2, as: dataAttributes }, // NFTA_IMMEDIATE_DATA
});

const payloadAttributes = attributeTable({
  into: { id: 1, as: u32be }, // NFTA_PAYLOAD_DREG
  base: { id: 2, as: u32be }, // NFTA_PAYLOAD_BASE
  offset: { id: 3, as: u32be }, // NFTA_PAYLOAD_OFFSET
  length: { id: 4, as: u32be }, // NFTA_PAYLOAD_LEN
  from: { id: 5, as: u32be }, // NFTA_PAYLOAD_SREG
  checksumType: { id: 6, as: u32be }, // NFTA_PAYLOAD_CSUM_TYPE
  checksumOffset: { id: 7, as: u32be }, // NFTA_PAYLOAD_CSUM_OFFSET
});

/** One step of a rule. */
interface Expression {
  readonly name: 'meta' | 'cmp' | 'immediate' | 'payload' | 'notrack';
  readonly meta?: Decoded<typeof metaAttributes>;
  readonly cmp?: Decoded<typeof cmpAttributes>;
  readonly immediate?: Decoded<typeof immediateAttributes>;
  readonly payload?: Decoded<typeof payloadAttributes>;
}

/** NFTA_EXPR_NAME and NFTA_EXPR_DATA. */
const expression = namedData<Expression>([
  {
    tag: [1, 'name'],
    data: [2, 'data'],
    layouts: {
      meta: ['meta', metaAttributes],
      cmp: ['cmp', cmpAttributes],
      immediate: ['immediate', immediateAttributes],
      payload: ['payload', payloadAttributes],
    },
  },
]);

const expressionList: Codec<readonly Expression[]> = {
  write(writer, list) {
    const NFTA_LIST_ELEM = 1;
    for (const one of list) writeAttribute(writer, NFTA_LIST_ELEM, expression, one);
  },
  read(view, start, end) {
    const list: Expression[] = [];
    eachAttribute(view, start, end, (_, from, to) => list.push(expression.read(view, from, to)));
    return list;
  },
};

const ruleAttributes = attributeTable({
  table: { id: 1, as: cString(256) }, // NFTA_RULE_TABLE
  chain: { id: 2, as: cString(256) }, // NFTA_RULE_CHAIN
  expressions: { id: 4, as: expressionList }, // NFTA_RULE_EXPRESSIONS
});

/** Puts and removes such rules in one namespace. */
export class PortRewriter implements Disposable {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Throws LinuxError when the namespace cannot be entered. */
  static open(options: NetlinkSocketOptions = {}): PortRewriter {
    return new PortRewriter(NetlinkSocket.open(NETLINK_NETFILTER, options));
  }

  /**
   * Makes these the rules of a table of family `ip`, which is made if there is none: in one transaction, so that no
   * packet meets a part of them. Throws NetlinkError.
   */
  put(table: string, rewrites: readonly PortRewrite[]): void {
    const rules = [elsewhere(), ...rewrites.flatMap(rewritten)];
    this.#transact([
      request(NFT_MSG_NEWTABLE, NLM_F_CREATE, `add table ip ${table}`, tableAttributes, { name: table }),
      request(NFT_MSG_NEWCHAIN, NLM_F_CREATE, `add chain ip ${table} ${CHAIN}`, chainAttributes, {
        table,
        name: CHAIN,
        hook: { number: NF_INET_LOCAL_OUT, priority: NF_IP_PRI_RAW >>> 0 },
        policy: NF_ACCEPT,
        type: 'filter',
      }),
      // All rules of the chain. Where there are none this does nothing, and costs no wait when the socket is closed.
      request(NFT_MSG_DELRULE, 0, `flush chain ip ${table} ${CHAIN}`, ruleAttributes, {
        table,
        chain: CHAIN,
      }),
      ...rules.map((expressions) =>
        request(
          NFT_MSG_NEWRULE,
          NLM_F_CREATE | NLM_F_APPEND,
          `add rule ip ${table} ${CHAIN}`,
          ruleAttributes,
          { table, chain: CHAIN, expressions },
        ),
      ),
    ]);
  }

  /** Removes the table, if it is there. Throws NetlinkError. */
  remove(table: string): void {
    // Adding first makes deleting succeed where there is nothing.
    this.#transact([
      request(NFT_MSG_NEWTABLE, NLM_F_CREATE, `add table ip ${table}`, tableAttributes, { name: table }),
      request(NFT_MSG_DELTABLE, 0, `delete table ip ${table}`, tableAttributes, { name: table }),
    ]);
  }

  /** Closes the socket. Soon after rules were replaced or removed this waits until the kernel has destroyed them. */
  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #transact(requests: readonly NetlinkRequest[]): void {
    this.#socket.transact(batchEdge(NFNL_MSG_BATCH_BEGIN), requests, batchEdge(NFNL_MSG_BATCH_END));
  }
}

function batchEdge(type: number): NetlinkRequest {
  return {
    type,
    flags: 0,
    description: 'nf_tables transaction',
    body: (writer) => nfgenmsg.write(writer, { family: NFPROTO_UNSPEC, resource: NFNL_SUBSYS_NFTABLES }),
  };
}

function request<Attributes>(
  message: number,
  flags: number,
  description: string,
  attributes: Codec<Attributes>,
  values: Attributes,
): NetlinkRequest {
  return {
    type: (NFNL_SUBSYS_NFTABLES << 8) | message,
    flags,
    description,
    body: (writer) => {
      nfgenmsg.write(writer, { family: NFPROTO_IPV4 });
      attributes.write(writer, values);
    },
  };
}

/** `oif != lo accept`: nearly all traffic is done with here. */
function elsewhere(): Expression[] {
  return [
    loadMeta(NFT_META_OIF),
    compare(NFT_CMP_NEQ, encode(u32, LOOPBACK_INDEX)),
    {
      name: 'immediate',
      immediate: { register: NFT_REG_VERDICT, data: { verdict: { code: NF_ACCEPT } } },
    },
  ];
}

/**
 * `ip daddr A udp dport 53 notrack udp dport set P` and the same for what comes back. Without `notrack` a container that
 * tracks connections for itself would see two halves and no whole.
 */
function rewritten({ protocol, address, port, actualPort }: PortRewrite): Expression[][] {
  const addressBytes = Uint8Array.from(address.split('.'), Number);
  const rule = (addressAt: number, portAt: number, seen: number, wanted: number): Expression[] => [
    load(NFT_PAYLOAD_NETWORK_HEADER, addressAt, 4),
    compare(NFT_CMP_EQ, addressBytes),
    loadMeta(NFT_META_L4PROTO),
    compare(NFT_CMP_EQ, Uint8Array.of(protocols[protocol].number)),
    load(NFT_PAYLOAD_TRANSPORT_HEADER, portAt, 2),
    compare(NFT_CMP_EQ, encode(u16be, seen)),
    { name: 'notrack' },
    { name: 'immediate', immediate: { register: NFT_REG_1, data: { value: encode(u16be, wanted) } } },
    {
      name: 'payload',
      payload: {
        base: NFT_PAYLOAD_TRANSPORT_HEADER,
        offset: portAt,
        length: 2,
        from: NFT_REG_1,
        checksumType: NFT_PAYLOAD_CSUM_INET,
        checksumOffset: protocols[protocol].checksum,
      },
    },
  ];
  return [
    rule(IPV4_DESTINATION, DESTINATION_PORT, port, actualPort),
    rule(IPV4_SOURCE, SOURCE_PORT, actualPort, port),
  ];
}

function load(base: number, offset: number, length: number): Expression {
  return { name: 'payload', payload: { into: NFT_REG_1, base, offset, length } };
}

function loadMeta(key: number): Expression {
  return { name: 'meta', meta: { register: NFT_REG_1, key } };
}

function compare(operator: number, value: Uint8Array): Expression {
  return { name: 'cmp', cmp: { register: NFT_REG_1, operator, data: { value } } };
}

const writer = new Writer();

function encode<T>(as: Codec<T>, value: T): Uint8Array {
  writer.reset();
  as.write(writer, value);
  return writer.bytes().slice();
}
