/** `HostConfig.Ulimits`: limits of the processes in a container, getrlimit(2). */
import { type HostConfig, invalid } from '@seaway/engine';

interface DockerUlimit {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}

const names =
  /^(core|cpu|data|fsize|locks|memlock|msgqueue|nice|nofile|nproc|rss|rtprio|rttime|sigpending|stack)$/;

/**
 * -1 is no limit at all.
 * @throws invalid for an unknown name, and a soft limit above the hard one
 */
export function parseUlimit({
  Name: name,
  Soft: soft,
  Hard: hard,
}: DockerUlimit): HostConfig['rlimits'][number] {
  if (!names.test(name)) throw invalid('invalid-ulimit', `invalid ulimit type: ${name}`);
  if (soft < -1 || hard < -1) {
    throw invalid('invalid-ulimit', `invalid ulimit ${name}: ${soft}:${hard}: -1 is the least, and no limit`);
  }
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw invalid(
      'invalid-ulimit',
      `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
    );
  }
  return { name, soft, hard };
}
