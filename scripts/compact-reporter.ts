/**
 * A reporter for `node:test` with one line per file, the full story of each failure, and the runner's closing summary.
 */
import { relative } from 'node:path';
import { Transform, type TransformCallback } from 'node:stream';
import { inspect } from 'node:util';

/** The parts of the runner's events used here. Source: Node.js documentation, "Class: TestsStream". */
interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly nesting?: number;
    readonly message?: string;
    readonly details?: {
      readonly duration_ms?: number;
      readonly error?: Error & { cause?: unknown };
      readonly type?: string;
    };
    readonly counts?: Readonly<Record<string, number>>;
    readonly success?: boolean;
    readonly duration_ms?: number;
    readonly skip?: unknown;
  };
}

interface Failure {
  readonly name: string;
  readonly error: unknown;
}

interface FileResult {
  readonly failures: Failure[];
  output: string;
}

export class CompactReporter extends Transform {
  readonly #root: string;
  readonly #results = new Map<string, FileResult>();
  readonly #paint = colours(process.stdout.isTTY === true);

  constructor(root: string) {
    super({ writableObjectMode: true });
    this.#root = root;
  }

  override _transform(event: TestEvent, _encoding: BufferEncoding, done: TransformCallback): void {
    done(null, this.#report(event));
  }

  #report({ type, data }: TestEvent): string {
    switch (type) {
      case 'test:fail':
        if (data.name === data.file) return this.#brokenFile(data);
        if (data.details?.type !== 'suite') {
          this.#result(data.file).failures.push({ name: data.name ?? '', error: data.details?.error });
        }
        return '';
      case 'test:stdout':
      case 'test:stderr':
        this.#result(data.file).output += data.message ?? '';
        return '';
      case 'test:summary':
        return data.file === undefined ? this.#lateOutput() : this.#fileLine(data);
      case 'test:diagnostic':
        // The closing lines of the whole run have no file: "tests 12", "pass 12", ...
        return data.nesting === 0 && data.file === undefined ? `ℹ ${data.message}\n` : '';
      default:
        return '';
    }
  }

  #fileLine(data: TestEvent['data']): string {
    const { failures } = this.#result(data.file);
    const counts = data.counts ?? {};
    const seconds = `${((data.duration_ms ?? 0) / 1000).toFixed(1)} s`;
    const facts = [
      `${counts.tests ?? 0} tests`,
      counts.skipped ? `${counts.skipped} skipped` : '',
      failures.length > 0 ? `${failures.length} failed` : '',
    ].filter(Boolean);
    const mark = data.success ? this.#paint.green('✔') : this.#paint.red('✖');
    const line = `${mark} ${relative(this.#root, data.file ?? '')}  ${facts.join(', ')}, ${seconds}\n`;
    if (data.success) return line;
    const stories = failures.map(({ name, error }) => `  ${this.#paint.red('✖')} ${name}\n${story(error)}\n`);
    return `${line}${stories.join('')}${this.#takeOutput(data.file)}`;
  }

  /** A file that failed outside of its tests: it does not compile, threw while loading, or was ended. */
  #brokenFile(data: TestEvent['data']): string {
    const result = this.#result(data.file);
    const told = result.failures.length > 0;
    result.failures.push({ name: 'the file', error: data.details?.error });
    if (told) return '';
    const path = relative(this.#root, data.file ?? '');
    return `${this.#paint.red('✖')} ${path} did not run to its end\n${this.#takeOutput(data.file)}`;
  }

  /** Output of failed files that arrived after their line was printed. */
  #lateOutput(): string {
    const failed = [...this.#results].filter(([, result]) => result.failures.length > 0);
    return failed.map(([file]) => this.#takeOutput(file)).join('');
  }

  #takeOutput(file: string | undefined): string {
    const result = this.#result(file);
    const { output } = result;
    result.output = '';
    return output && indent(`output of ${relative(this.#root, file ?? '')}:\n${output}`);
  }

  #result(file: string | undefined): FileResult {
    const key = file ?? '';
    const known = this.#results.get(key);
    if (known !== undefined) return known;
    const fresh: FileResult = { failures: [], output: '' };
    this.#results.set(key, fresh);
    return fresh;
  }
}

function story(error: unknown): string {
  // The runner wraps what a test threw; only the cause says something.
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return indent(typeof cause === 'string' ? cause : inspect(cause, { depth: 4 }));
}

function indent(text: string): string {
  return `${text.trimEnd().replace(/^/gm, '    ')}\n`;
}

type Paint = (text: string) => string;

function colours(enabled: boolean): { readonly red: Paint; readonly green: Paint } {
  const paint = (code: number): Paint =>
    enabled ? (text) => `\u001b[${code}m${text}\u001b[0m` : (text) => text;
  return { red: paint(31), green: paint(32) };
}
