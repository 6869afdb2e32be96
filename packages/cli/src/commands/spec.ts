/** What a command is: its grammar for commander, and what it does. */
import { Command, CommanderError } from 'commander';
import { CliError, exitCodes } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { normalizeFlags } from './flags.ts';

export interface CommandSpec<Options extends object = object> {
  /** Full name without the program's: `run`, `network ls`. */
  readonly name: string;
  /** Arguments as help shows them: `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string;
  /** One sentence for help. */
  readonly summary: string;
  /** What follows the first argument belongs to the container's command, also if it looks like an option. */
  readonly takesCommand?: boolean;
  /** Declares arguments and options. */
  configure(command: Command): void;
  /** Does the work and resolves with the exit code. */
  run(context: Context, args: string[], options: Options): Promise<number>;
}

export interface ParsedCommand {
  readonly args: string[];
  readonly options: object;
}

/** Thrown instead of a result when the user asked for help; the text goes to stdout. */
export class HelpRequest extends Error {
  readonly text: string;

  constructor(text: string) {
    super('help was asked for');
    this.name = 'HelpRequest';
    this.text = text;
  }
}

/**
 * Parses a command's own arguments.
 * @throws CliError for a bad option (exit code 125) or a wrong number of arguments (exit code 1), HelpRequest.
 */
export function parseCommand(spec: CommandSpec<never>, argv: readonly string[]): ParsedCommand {
  let help = '';
  const command = new Command(`seaway ${spec.name}`)
    .usage(spec.usage)
    .description(spec.summary)
    .helpOption('--help', 'show this help')
    .allowExcessArguments(false)
    .passThroughOptions(spec.takesCommand ?? false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        help += text;
      },
      writeErr: () => {},
    });
  spec.configure(command);
  const hint = `Run 'seaway ${spec.name} --help' for more information`;
  try {
    command.parse(normalizeFlags(command, argv, spec.takesCommand ?? false), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) throw help === '' ? usageError(error, hint) : new HelpRequest(help);
    if (error instanceof CliError) {
      throw new CliError(error.message, { exitCode: error.exitCode, hint, cause: error });
    }
    throw error;
  }
  return { args: command.args, options: command.opts() };
}

/** Puts commander's complaint in our form: no prefix, one line, docker's exit codes. */
export function usageError(error: CommanderError, hint: string): CliError {
  const message = error.message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .replace(/\.$/, '');
  const isArity = error.code === 'commander.missingArgument' || error.code === 'commander.excessArguments';
  return new CliError(message, { exitCode: isArity ? exitCodes.failure : exitCodes.daemon, hint });
}
