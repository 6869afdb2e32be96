/** Networks as `network ls` shows them. */
import type { NetworkSummary } from '../client/types.ts';
import { formatTime } from './duration.ts';
import { formatLabels } from './labels.ts';
import type { ListingShape, Row } from './listing.ts';
import { truncateId } from './table.ts';

export const networkListing: ListingShape = {
  headings: {
    CreatedAt: 'CREATED AT',
    Driver: 'DRIVER',
    ID: 'NETWORK ID',
    IPv4: 'IPV4',
    IPv6: 'IPV6',
    Internal: 'INTERNAL',
    Labels: 'LABELS',
    Name: 'NAME',
    Scope: 'SCOPE',
  },
  columns: ['ID', 'Name', 'Driver', 'Scope'],
  id: 'ID',
};

/** One network's fields. A daemon older than API 1.48 does not say whether a network has IPv4: they all did. */
export function networkRow(network: NetworkSummary, truncate: boolean): Row {
  return {
    CreatedAt: formatTime(Date.parse(network.Created)),
    Driver: network.Driver,
    ID: truncate ? truncateId(network.Id) : network.Id,
    IPv4: String(network.EnableIPv4 ?? true),
    IPv6: String(network.EnableIPv6),
    Internal: String(network.Internal),
    Labels: formatLabels(network.Labels),
    Name: network.Name,
    Scope: network.Scope,
  };
}
