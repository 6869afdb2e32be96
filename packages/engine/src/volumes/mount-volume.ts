/** Mounts what a volume's options name, with mount(8), which knows every option and may wait for a server without us. */
import { internal, messageOf } from '../base/errors.ts';
import { ProgramError, runProgram } from '../images/programs.ts';
import type { VolumeRecord } from '../model/volume.ts';

/** mount(8) is to leave out its helpers (as Docker does, which asks the kernel itself) and its own list of mounts. */
const plainly = ['--internal-only', '--no-mtab'];

/** @throws internal in Docker's words */
export async function mountVolume({ id: name, options }: VolumeRecord, path: string): Promise<void> {
  const { type = 'none', device = '', o = '' } = options;
  const words = [...plainly, '--types', type, ...(o ? ['--options', o] : []), '--', device, path];
  try {
    await runProgram('mount', words, { cwd: '/' });
  } catch (error) {
    const reason = error instanceof ProgramError ? reasonOf(error) : messageOf(error);
    throw internal(
      'volume-mount-failed',
      `error while mounting volume '${path}': failed to mount local volume: mount ${device}:${path}: ${reason}`,
      { name, type, device },
      error,
    );
  }
}

/** The first line of what mount(8) says, without its own name and the target. */
function reasonOf({ stderr, message }: ProgramError): string {
  const [line = ''] = stderr.split('\n', 1);
  return line.replace(/^mount: (?:\/\S*: )?/, '').replace(/\.$/, '') || message;
}
