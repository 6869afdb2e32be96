import { spawn } from 'node:child_process';
import { release } from 'node:os';
import { text } from 'node:stream/consumers';

/** mount_setattr(2), which changes a whole tree of mounts, came with Linux 5.12. */
const MOUNT_SETATTR_SINCE = [5, 12] as const;

/**
 * Whether a mount can be read-only with all that is mounted below it: the kernel and the runtime have to know how.
 * @param runc path of the OCI runtime; `runc features` tells what it knows since 1.1
 */
export async function canMountReadonlyBelow(runc: string): Promise<boolean> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const [sinceMajor, sinceMinor] = MOUNT_SETATTR_SINCE;
  if (major < sinceMajor || (major === sinceMajor && minor < sinceMinor)) return false;
  try {
    const child = spawn(runc, ['features'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    const { mountOptions = [] } = JSON.parse(await Promise.race([text(child.stdout), failed])) as {
      mountOptions?: string[];
    };
    return mountOptions.includes('rro');
  } catch {
    return false;
  }
}
