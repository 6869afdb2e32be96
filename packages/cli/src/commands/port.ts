/** `seaway port`: where the host answers for a container's ports. */
import { CliError } from '../cli-error.ts';
import { segment } from '../client/http-client.ts';
import type { ContainerDetails } from '../client/types.ts';
import { compareNaturally } from '../format/natural-order.ts';
import { joinHostPort } from '../format/ports.ts';
import type { CommandSpec } from './spec.ts';

export const spec: CommandSpec = {
  name: 'port',
  usage: 'CONTAINER [PORT[/PROTOCOL]]',
  summary: "Show where the host answers for a container's ports",
  configure(command) {
    command.argument('<CONTAINER>', 'container');
    command.argument('[PORT]', 'only this port of the container; tcp unless it says otherwise');
  },
  async run(context, [container, port]) {
    const details = await context.client.json<ContainerDetails>(
      'GET',
      `/containers/${segment(container!)}/json`,
    );
    const lines = listBindings(details.NetworkSettings?.Ports ?? {}, port && withProtocol(port));
    if (port && lines.length === 0) {
      throw new CliError(`no public port '${port}' published for ${container}`);
    }
    for (const line of lines.toSorted(compareNaturally)) context.print(`${line}\n`);
    return 0;
  },
};

type Ports = NonNullable<NonNullable<ContainerDetails['NetworkSettings']>['Ports']>;

/** `ADDRESS:PORT` of one port's bindings, or `80/tcp -> ADDRESS:PORT` of all. */
function listBindings(ports: Ports, only: string | undefined): string[] {
  return Object.entries(ports)
    .filter(([port]) => only === undefined || port === only)
    .flatMap(([port, bindings]) =>
      (bindings ?? []).map(({ HostIp, HostPort }) => {
        const place = joinHostPort(HostIp, HostPort);
        return only === undefined ? `${port} -> ${place}` : place;
      }),
    );
}

/** @throws CliError for what is no port */
function withProtocol(text: string): string {
  const [port = '', protocol] = text.split('/', 2);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) throw new CliError(`invalid port (${port})`);
  return `${port}/${protocol?.toLowerCase() || 'tcp'}`;
}
