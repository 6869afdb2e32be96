/** Volumes as `volume ls` shows them. */
import type { VolumeSummary } from '../client/types.ts';
import { formatLabels } from './labels.ts';
import type { ListingShape, Row } from './listing.ts';

export const volumeListing: ListingShape = {
  headings: {
    Driver: 'DRIVER',
    Labels: 'LABELS',
    Mountpoint: 'MOUNTPOINT',
    Name: 'VOLUME NAME',
    Scope: 'SCOPE',
  },
  columns: ['Driver', 'Name'],
  id: 'Name',
};

export function volumeRow(volume: VolumeSummary): Row {
  return {
    Driver: volume.Driver,
    Labels: formatLabels(volume.Labels),
    Mountpoint: volume.Mountpoint,
    Name: volume.Name,
    Scope: volume.Scope,
  };
}
