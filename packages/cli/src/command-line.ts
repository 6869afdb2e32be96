/** The client's command line: global options, finding the command, and turning failures into words and codes. */
import type { Writable } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { CliError, exitCodes } from './cli-error.ts';
import { defaultAddress } from './client/address.ts';
import { processTerminal } from './client/terminal.ts';
import { findCommand, listCommands } from './commands/index.ts';
import { HelpRequest, parseCommand, usageError } from './commands/spec.ts';
import { createContext } from './context.ts';
import { formatTable } from './format/table.ts';
import { readVersion } from './version.ts';

/** Runs a command line given without the program's name; resolves with the exit code when all output is out. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', endOnBrokenPipe);
  const exitCode = await dispatch(argv).catch(report);
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  return exitCode;
}

interface GlobalOptions {
  readonly host?: string;
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const { words, options } = parseGlobals(argv);
  const host = options.host ?? (process.env.SEAWAY_HOST || defaultAddress);
  if (words[0] === 'daemon') {
    const { runDaemon } = await import('./daemon/daemon.ts');
    return runDaemon([...(options.host === undefined ? [] : ['--host', options.host]), ...words.slice(1)]);
  }
  const command = findCommand(words);
  if (command === undefined) return explainWords(words);
  const { spec } = await command.entry.load();
  const parsed = parseCommand(spec, command.rest);
  const context = createContext(host, processTerminal(), process.env);
  try {
    // The parser was configured by this very command, so its options have the shape the command asks for.
    return await spec.run(context, parsed.args, parsed.options as never);
  } finally {
    context.client.close();
  }
}

/** Reads what stands before the command. @throws CliError, HelpRequest (also for `--version`). */
function parseGlobals(argv: readonly string[]): { words: string[]; options: GlobalOptions } {
  let output = '';
  const program = new Command('seaway')
    .usage('[OPTIONS] COMMAND [ARG...]')
    .description('Containers and their networks, for Linux.')
    .option('-H, --host <ADDRESS>', `daemon to talk to (default: $SEAWAY_HOST, then ${defaultAddress})`)
    .version(`seaway ${readVersion()}`, '-v, --version', 'show the version')
    .helpOption('--help', 'show this help')
    .argument('[COMMAND...]')
    .passThroughOptions()
    .exitOverride()
    .configureHelp({ visibleArguments: () => [] })
    .addHelpText('after', () => `\n${commandHelp().trimEnd()}`)
    .configureOutput({
      writeOut: (text) => {
        output += text;
      },
      writeErr: () => {},
    });
  try {
    program.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw output === ''
      ? usageError(error, "Run 'seaway --help' for more information")
      : new HelpRequest(output);
  }
  if (program.args.length === 0) throw new HelpRequest(`${program.helpInformation()}\n${commandHelp()}`);
  return { words: program.args, options: program.opts() };
}

/** Answers words that are no command: a group such as `network` lists its commands. */
function explainWords(words: readonly string[]): never {
  const [group, word] = words as [string, string | undefined];
  const members = listCommands(group);
  if (members.length > 0 && (word === undefined || word === '--help')) {
    throw new HelpRequest(`Usage: seaway ${group} COMMAND\n\n${commandHelp(group)}`);
  }
  const name = members.length > 0 ? `${group} ${word}` : group;
  const hint = `Run 'seaway ${members.length > 0 ? `${group} ` : ''}--help' for more information`;
  throw new CliError(`unknown command: seaway ${name}`, { hint });
}

function commandHelp(group?: string): string {
  const own = listCommands(group);
  const rows = group === undefined ? [...own, ['daemon', 'Start the daemon'] as const] : own;
  return `Commands:\n${formatTable(rows.map(([name, summary]) => [`  ${name}`, summary]))}`;
}

function report(error: unknown): number {
  if (error instanceof HelpRequest) {
    process.stdout.write(error.text);
    return 0;
  }
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`seaway: ${message}\n`);
  if (!(error instanceof CliError)) return exitCodes.failure;
  if (error.hint !== undefined) process.stderr.write(`${error.hint}\n`);
  return error.exitCode;
}

/** Nobody reads on: end without a word, as a program that SIGPIPE ends. */
function endOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitCodes.brokenPipe);
  throw error;
}

/** Resolves when everything written so far has left the process. */
function flush(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}
