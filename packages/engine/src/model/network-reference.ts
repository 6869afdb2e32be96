/** Which network a reference means. */
import { invalid, notFound } from '../base/errors.ts';
import type { NetworkRecord } from './network.ts';

/** What a reference to a network is looked up for; Docker's texts differ. */
export type LookupPurpose = 'inspect' | 'remove' | 'connect';

const ambiguousForUse = (reference: string, count: number) =>
  `network ${reference} is ambiguous (${count} matches found based on ID prefix)`;

const ambiguous: Record<LookupPurpose, (reference: string, count: number) => string> = {
  inspect: (reference, count) =>
    `${count} matches found based on ID prefix: network ${reference} is ambiguous`,
  remove: ambiguousForUse,
  connect: ambiguousForUse,
};

/**
 * The one network whose id begins with the reference.
 * @throws notFound, invalid when there are several
 */
export function networkByPrefix(
  networks: readonly NetworkRecord[],
  reference: string,
  purpose: LookupPurpose,
): NetworkRecord {
  const matches = reference === '' ? [] : networks.filter(({ id }) => id.startsWith(reference));
  if (matches.length > 1) {
    throw invalid('network-ambiguous', ambiguous[purpose](reference, matches.length), { reference });
  }
  if (!matches[0]) throw notFound('network-not-found', `network ${reference} not found`, { reference });
  return matches[0];
}
