/** What a user asks for when making a network. Whatever is left out is chosen by the engine. */

/** One block of addresses, as text in the user's spelling. */
export interface SubnetRequest {
  /** In CIDR form; `0.0.0.0/N` and `::/N` mean any free block of that size. @default any free block */
  readonly subnet?: string;
  /** The network's own address in it. @default the first free one of the range, or of the subnet */
  readonly gateway?: string;
  /** Where automatic addresses come from, in CIDR form. @default the whole subnet */
  readonly range?: string;
  /**
   * Addresses that are never given out, by names that the user chooses. `DefaultGatewayIPv4` and
   * `DefaultGatewayIPv6` are what containers use as their way out instead of the network's own address.
   */
  readonly auxiliary?: Readonly<Record<string, string>>;
}

export interface NetworkRequest {
  /** Any text that is not blank; unique among the networks. */
  readonly name: string;
  /** @default 'bridge' */
  readonly driver?: string;
  /** @default the option com.docker.network.enable_ipv4, or true */
  readonly enableIpv4?: boolean;
  /** @default the option com.docker.network.enable_ipv6, or false */
  readonly enableIpv6?: boolean;
  /** Without a way out of the host. @default false */
  readonly internal?: boolean;
  /** Kept and shown; it means something to Swarm only. @default false */
  readonly attachable?: boolean;
  /** Swarm's own network: refused. @default false */
  readonly ingress?: boolean;
  /** A template for other networks, never real itself. @default false */
  readonly configOnly?: boolean;
  /** Name of the template to take families, subnets, options and labels from. */
  readonly configFrom?: string;
  /** `local`, the only scope that there is. @default 'local' */
  readonly scope?: string;
  /** @default 'default' */
  readonly ipamDriver?: string;
  /** Kept and shown; the default driver takes none. */
  readonly ipamOptions?: Readonly<Record<string, string>>;
  /** At most one of each family. @default one free block of each enabled family */
  readonly subnets?: readonly SubnetRequest[];
  /** The driver's, by Docker's names; those that it does not know are kept and shown. */
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}
