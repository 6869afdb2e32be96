/** `seaway info`: the daemon and the machine it runs on. */
import type { InfoAnswer } from '../client/types.ts';
import { formatProperties, type Properties } from '../format/properties.ts';
import { formatMemory } from '../format/size.ts';
import { inspectObjects } from './inspect-objects.ts';
import type { CommandSpec } from './spec.ts';

export const spec: CommandSpec<{ format?: string }> = {
  name: 'info',
  usage: '[OPTIONS]',
  summary: 'Show the daemon and the machine it runs on',
  configure(command) {
    command.option('-f, --format <FORMAT>', 'json, or a template such as {{.ServerVersion}}');
  },
  async run(context, _args, { format }) {
    const fetch = () => context.client.json<InfoAnswer>('GET', '/info');
    if (format !== undefined) return inspectObjects(context, [''], format, fetch);
    const info = await fetch();
    context.print(`Server:\n${formatProperties(infoProperties(info))}`);
    for (const warning of info.Warnings ?? []) {
      context.complain(`warning: ${warning.replace(/^WARNING: /, '')}`);
    }
    return 0;
  },
};

function infoProperties(info: InfoAnswer): Properties {
  return [
    ['Containers', String(info.Containers)],
    ['Running', String(info.ContainersRunning)],
    ['Paused', String(info.ContainersPaused)],
    ['Stopped', String(info.ContainersStopped)],
    ['Images', String(info.Images)],
    ['Server Version', info.ServerVersion],
    ['Storage Driver', info.Driver],
    ['Cgroup Driver', info.CgroupDriver],
    ['Cgroup Version', info.CgroupVersion],
    ['Network Drivers', info.Plugins?.Network?.join(' ')],
    [
      'Runtimes',
      Object.keys(info.Runtimes ?? {})
        .sort()
        .join(' '),
    ],
    ['Default Runtime', info.DefaultRuntime],
    ['Kernel Version', info.KernelVersion],
    ['Operating System', info.OperatingSystem],
    ['OSType', info.OSType],
    ['Architecture', info.Architecture],
    ['CPUs', String(info.NCPU)],
    ['Total Memory', formatMemory(info.MemTotal)],
    ['Name', info.Name],
    ['ID', info.ID],
    ['Root Dir', info.DockerRootDir],
    ['Labels', info.Labels?.join(' ')],
  ];
}
