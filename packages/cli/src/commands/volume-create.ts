/** `seaway volume create`: make a volume. */
import type { VolumeSummary } from '../client/types.ts';
import { addList } from './flags.ts';
import { checkLabel, readPairs } from './pairs.ts';
import type { CommandSpec } from './spec.ts';

export interface VolumeCreateOptions {
  driver?: string;
  label?: string[];
  opt?: string[];
}

export const spec: CommandSpec<VolumeCreateOptions> = {
  name: 'volume create',
  usage: '[OPTIONS] [VOLUME]',
  summary: 'Make a volume',
  configure(command) {
    command.argument('[VOLUME]', 'name of the new volume (default: 64 random digits)');
    command.option('-d, --driver <DRIVER>', 'volume driver (default: local)');
    addList(command, '--label <NAME=VALUE>', 'set a label', checkLabel);
    addList(command, '-o, --opt <NAME=VALUE>', 'option of the driver: type, device, o');
  },
  async run(context, [name = ''], { driver = 'local', label = [], opt = [] }) {
    const body = { Name: name, Driver: driver, DriverOpts: readPairs(opt), Labels: readPairs(label) };
    const answer = await context.client.json<VolumeSummary>('POST', '/volumes/create', { body });
    context.print(`${answer.Name}\n`);
    return 0;
  },
};
