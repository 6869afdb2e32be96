import { Readable } from 'node:stream';
import { commandTable } from '../commands/index.ts';
import { parseCommand } from '../commands/spec.ts';
import { FakeContext, FakeDaemon, routes } from './fake-daemon.ts';

/** Runs one command against a daemon that answers from a table. */
export async function runCommand(
  table: Record<string, unknown>,
  name: string,
  argv: string[] = [],
  stdin = '',
) {
  await using daemon = await FakeDaemon.open(routes(table));
  using context = new FakeContext(daemon, Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]));
  const { spec } = await commandTable[name]!.load();
  const { args, options } = parseCommand(spec, argv);
  const code = await spec.run(context, args, options as never);
  const { stdout, stderr } = context;
  return {
    code,
    stdout,
    stderr,
    requests: daemon.requests.map(decodeURIComponent),
    bodies: daemon.bodies.map(String),
  };
}
