/** Containers as `ps` shows them. */
import type { ContainerSummary } from '../client/types.ts';
import { formatDuration, formatTime } from './duration.ts';
import { formatLabels } from './labels.ts';
import type { ListingShape, Row } from './listing.ts';
import { formatPorts } from './ports.ts';
import { ellipsize, truncateId } from './table.ts';

const commandLength = 20;

export const containerListing: ListingShape = {
  headings: {
    Command: 'COMMAND',
    CreatedAt: 'CREATED AT',
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Labels: 'LABELS',
    Mounts: 'MOUNTS',
    Names: 'NAMES',
    Networks: 'NETWORKS',
    Ports: 'PORTS',
    RunningFor: 'CREATED',
    State: 'STATE',
    Status: 'STATUS',
  },
  columns: ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names'],
  id: 'ID',
};

/** One container's fields. `nowMs` is what "3 seconds ago" counts from. */
export function containerRow(container: ContainerSummary, nowMs: number, truncate: boolean): Row {
  const command = truncate ? ellipsize(container.Command, commandLength) : container.Command;
  return {
    Command: JSON.stringify(command),
    CreatedAt: formatTime(container.Created * 1000),
    ID: truncate ? truncateId(container.Id) : container.Id,
    Image: imageName(container, truncate),
    Labels: formatLabels(container.Labels),
    Mounts: (container.Mounts ?? []).map((mount) => mount.Name || mount.Source).join(','),
    Names: containerNames(container.Names, truncate).join(','),
    Networks: Object.keys(container.NetworkSettings?.Networks ?? {})
      .sort()
      .join(','),
    Ports: formatPorts(container.Ports ?? []),
    RunningFor: `${formatDuration(nowMs - container.Created * 1000)} ago`,
    State: container.State,
    Status: container.Status,
  };
}

/** An image given by id is shown in the short form; a name stays as the user wrote it. */
function imageName(container: ContainerSummary, truncate: boolean): string {
  if (container.Image === '') return '<no image>';
  const isId = truncateId(container.Image) === truncateId(container.ImageID);
  return truncate && isId ? truncateId(container.Image) : container.Image;
}

/** Names come as paths: `/web`, and `/other/alias` for links, which are left out of the short form. */
function containerNames(names: readonly string[], truncate: boolean): string[] {
  const paths = names.map((name) => name.replace(/^\//, ''));
  return truncate ? paths.filter((path) => !path.includes('/')) : paths;
}
