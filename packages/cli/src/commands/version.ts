/** `seaway version`: the versions of the command line and of the daemon. */
import type { VersionAnswer } from '../client/types.ts';
import { formatProperties, type Properties } from '../format/properties.ts';
import { readVersion } from '../version.ts';
import { inspectObjects } from './inspect-objects.ts';
import type { CommandSpec } from './spec.ts';

export const spec: CommandSpec<{ format?: string }> = {
  name: 'version',
  usage: '[OPTIONS]',
  summary: 'Show the versions of the command line and the daemon',
  configure(command) {
    command.option('-f, --format <FORMAT>', 'json, or a template such as {{.Server.Version}}');
  },
  async run(context, _args, { format }) {
    const client = {
      Version: readVersion(),
      NodeVersion: process.version,
      Os: process.platform,
      Arch: process.arch,
    };
    if (format !== undefined) {
      const fetch = async () => ({ Client: client, Server: await readServer() });
      return inspectObjects(context, [''], format, fetch);
    }
    const clientLines: Properties = [
      ['Version', client.Version],
      ['Node version', client.NodeVersion],
      ['OS/Arch', `${client.Os}/${client.Arch}`],
    ];
    // Ours is known without a daemon, and is worth showing when there is none.
    context.print(`Client:\n${formatProperties(clientLines)}`);
    const server = await readServer();
    context.print(`\nServer:\n${formatProperties(serverProperties(server))}`);
    return 0;

    function readServer(): Promise<VersionAnswer> {
      return context.client.json<VersionAnswer>('GET', '/version');
    }
  },
};

function serverProperties(server: VersionAnswer): Properties {
  return [
    ['Version', server.Version],
    ['API version', `${server.ApiVersion} (minimum version ${server.MinAPIVersion ?? server.ApiVersion})`],
    ['Git commit', server.GitCommit],
    ['OS/Arch', `${server.Os}/${server.Arch}`],
    ['Kernel version', server.KernelVersion],
    ...(server.Components ?? [])
      .filter((component) => component.Name !== 'Engine')
      .map((component) => [component.Name, component.Version] as const),
  ];
}
