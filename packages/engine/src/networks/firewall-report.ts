/** The firewall for people to look at: what it should be, what is live, and whether both agree. */
import { type ReportedNetwork, type ReportedPort, reportNetwork } from '../firewall/report.ts';
import type { NetworkRecord } from '../model/network.ts';
import type { Firewall, FirewallInspection } from './firewall.ts';

export interface FirewallReport {
  readonly networks: readonly ReportedNetwork[];
  readonly ports: readonly ReportedPort[];
  readonly live: FirewallInspection;
  /** What other programs' firewalls do to the traffic of containers, in sentences. */
  readonly obstacles: readonly string[];
}

export interface FirewallReportParts {
  readonly networks: {
    list(): readonly NetworkRecord[];
    readonly firewall: Pick<Firewall, 'inspect' | 'obstacles'>;
  };
  readonly publishing: { report(): readonly ReportedPort[] };
}

/** @throws internal when the kernel's rules cannot be read */
export async function reportFirewall({ networks, publishing }: FirewallReportParts): Promise<FirewallReport> {
  const [live, obstacles] = [await networks.firewall.inspect(), await networks.firewall.obstacles()];
  return {
    networks: networks.list().flatMap((network) => reportNetwork(network) ?? []),
    ports: publishing.report(),
    live,
    obstacles,
  };
}
