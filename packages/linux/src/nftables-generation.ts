/**
 * The generation of a namespace's nf_tables ruleset: a number that every committed transaction raises by one, whoever
 * sent it. Reading it costs microseconds, so that it can be asked often whether anything has changed.
 * Source: linux/netfilter/nf_tables.h, NFT_MSG_GETGEN and enum nft_gen_attributes.
 */
import { attributeTable, u32be } from './netlink/codec.ts';
import { NetlinkSocket, type NetlinkSocketOptions } from './netlink/socket.ts';

const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETGEN = (NFNL_SUBSYS_NFTABLES << 8) | 16;
/** struct nfgenmsg: u8 family, u8 version, u16 resource id. */
const NFGENMSG_BYTES = 4;

const generationAttributes = attributeTable({ id: { id: 1, as: u32be } });

/** A conversation about one namespace's ruleset. */
export class RulesetGeneration implements Disposable {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Throws LinuxError when the namespace cannot be entered. */
  static open(options: NetlinkSocketOptions = {}): RulesetGeneration {
    return new RulesetGeneration(NetlinkSocket.open(NETLINK_NETFILTER, options));
  }

  /** The number of now, from 0 to 4294967295; after that it begins anew. Throws NetlinkError. */
  read(): number {
    const request = {
      type: NFT_MSG_GETGEN,
      flags: 0,
      description: 'read the generation of the ruleset',
      body: (writer: { reserve(length: number): number }) => void writer.reserve(NFGENMSG_BYTES),
    };
    return this.#socket.get(
      request,
      (view, { start, end }) => generationAttributes.read(view, start + NFGENMSG_BYTES, end).id ?? 0,
    );
  }

  /** Closes the socket. Closing again does nothing. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
