/** What the firewall is for, as `firewall show` shows it. Pure. */
import type { FirewallAnswer, FirewallNetwork, FirewallPort } from '../client/types.ts';
import { compareNaturally } from './natural-order.ts';
import { type Paint, plain } from './paint.ts';
import { joinHostPort } from './ports.ts';
import { formatRuleset, type RulesetLayout } from './ruleset.ts';
import { ellipsize, formatTable } from './table.ts';

/** Names are cut so that a row fits into 100 columns. */
const LONGEST_NAME = 20;

/** The networks with a bridge, one line for each subnet. */
export function formatFirewallNetworks(networks: readonly FirewallNetwork[]): string {
  if (networks.length === 0) return 'No networks with a bridge.\n';
  const trustsAny = networks.some(({ TrustedInterfaces }) => TrustedInterfaces.length > 0);
  const rows = networks
    .toSorted((a, b) => compareNaturally(a.Name, b.Name))
    .flatMap(({ Name, Bridge, Internal, InterContainer, TrustedInterfaces, Subnets }) =>
      Subnets.map(({ Subnet, GatewayMode, Outbound, SourceAddress }, index) => {
        const isFirst = index === 0;
        return [
          isFirst ? ellipsize(Name, LONGEST_NAME) : '',
          isFirst ? Bridge : '',
          Subnet,
          Internal && GatewayMode !== 'isolated' ? 'internal' : GatewayMode,
          SourceAddress || Outbound,
          isFirst ? (InterContainer ? 'yes' : 'no') : '',
          ...(trustsAny ? [isFirst ? TrustedInterfaces.join(', ') : ''] : []),
        ];
      }),
    );
  const header = ['NETWORK', 'BRIDGE', 'SUBNET', 'MODE', 'OUTBOUND', 'ICC', ...(trustsAny ? ['TRUSTS'] : [])];
  return withoutTrailingBlanks(formatTable([header, ...rows]));
}

/** Published ports, with those that follow one another on one line. */
export function formatFirewallPorts(ports: readonly FirewallPort[]): string {
  if (ports.length === 0) return 'No published ports.\n';
  const rows = runsOf(ports).map(({ port, count }) => {
    const { HostIp, HostPort, Protocol, ContainerName, ContainerIp, ContainerPort } = port;
    return [
      HostIp === '' ? '-' : `${joinHostPort(HostIp, range(HostPort, count))}/${Protocol}`,
      ellipsize(ContainerName, LONGEST_NAME),
      ContainerIp === ''
        ? '-'
        : `${joinHostPort(ContainerIp, range(ContainerPort, count))}${HostIp === '' ? `/${Protocol}` : ''}`,
      serviceOf(port),
    ];
  });
  return formatTable([['HOST', 'CONTAINER', 'LEADS TO', 'SERVED BY'], ...rows]);
}

function serviceOf({ HostIp, ServedBy }: FirewallPort): string {
  if (HostIp === '') return 'routing';
  const [isKernel, isKeeper] = [ServedBy.includes('kernel'), ServedBy.includes('relay')];
  if (isKernel) return isKeeper ? 'kernel; keeper for ::1' : 'kernel';
  return isKeeper ? 'keeper' : 'nothing, kept free';
}

interface Run {
  readonly port: FirewallPort;
  count: number;
}

function runsOf(ports: readonly FirewallPort[]): Run[] {
  const sorted = ports.toSorted(
    (a, b) =>
      compareNaturally(a.ContainerName, b.ContainerName) ||
      compareNaturally(a.Protocol, b.Protocol) ||
      compareNaturally(a.HostIp, b.HostIp) ||
      a.HostPort - b.HostPort ||
      compareNaturally(a.ContainerIp, b.ContainerIp) ||
      a.ContainerPort - b.ContainerPort,
  );
  const runs: Run[] = [];
  for (const port of sorted) {
    const last = runs.at(-1);
    if (last && follows(last, port)) last.count++;
    else runs.push({ port, count: 1 });
  }
  return runs;
}

function follows({ port, count }: Run, next: FirewallPort): boolean {
  const step = port.HostIp === '' ? 0 : count;
  return (
    next.HostPort === port.HostPort + step &&
    next.ContainerPort === port.ContainerPort + count &&
    next.HostIp === port.HostIp &&
    next.Protocol === port.Protocol &&
    next.ContainerName === port.ContainerName &&
    next.ContainerIp === port.ContainerIp &&
    serviceOf(next) === serviceOf(port)
  );
}

function range(first: number, count: number): string {
  return count === 1 ? String(first) : `${first}-${first + count - 1}`;
}

/** The live rules, or that there are none. */
export function formatLiveRules({ Ruleset }: FirewallAnswer, layout: RulesetLayout): string {
  return Ruleset === '' ? "None: Seaway's tables are not there.\n" : formatRuleset(Ruleset, layout);
}

/** Whether the kernel has what it should have, and what is amiss. */
export function formatAgreement(firewall: FirewallAnswer, paint: Paint = plain): string {
  const { InSync, Missing, Foreign, Warnings } = firewall;
  const verdict = InSync
    ? paint(
        'green',
        'In sync: the kernel has every rule and port that it should have, and no others of ours.',
      )
    : paint('red', 'Not in sync: the kernel does not have what it should have.');
  return [
    verdict,
    ...Missing.map((what) => `  missing: ${what}`),
    ...Foreign.map((what) => `  not ours: ${what}`),
    ...(InSync ? [] : ['Seaway puts its rules back within a second. Where it cannot, its log says why.']),
    ...Warnings.map((warning) => paint('yellow', `Warning: ${warning}`)),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function withoutTrailingBlanks(text: string): string {
  return text.replaceAll(/ +$/gm, '');
}
