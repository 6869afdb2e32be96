/**
 * Tells a story step by step on a terminal or into a file: the command, what came back, what was promised and the time.
 * On a terminal a spinner turns while a step works; into a file only whole lines are written, without colours.
 */
import type { WriteStream } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';

/** A step did not do what it promised; the reader has been told. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
}

interface Chapter {
  readonly title: string;
  steps: number;
  milliseconds: number;
}

const spinnerFrames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const maxOutputLines = 8;

export class Narrator {
  readonly #out: WriteStream;
  readonly #chapters: Chapter[] = [];
  readonly #startedAt = performance.now();
  readonly #live: boolean;

  constructor(out: WriteStream) {
    this.#out = out;
    this.#live = out.isTTY === true && process.env.TERM !== 'dumb';
  }

  /** Columns to write in, within what reads well. */
  get #width(): number {
    return Math.max(60, Math.min(this.#out.columns ?? 80, 100));
  }

  /** Plain paragraphs. */
  readonly explain = (...paragraphs: string[]): void => {
    this.#line('');
    for (const paragraph of paragraphs) {
      for (const line of wrap(paragraph, this.#width)) this.#line(line);
    }
  };

  readonly chapter = (title: string, about: string): void => {
    this.#chapters.push({ title, steps: 0, milliseconds: 0 });
    this.#line('');
    this.#line(this.#paint('1', `${this.#chapters.length}. ${title}`));
    for (const line of wrap(about, this.#width - 3)) this.#line(`   ${line}`);
  };

  /**
   * Shows a command, does the work, shows what came back, and judges it.
   * @param promise what is to be true afterwards, in words
   * @returns what the work resolved with
   * @throws StepFailed when the work fails or does not hold what was promised
   */
  readonly step = async (
    argv: readonly string[],
    promise: string,
    work: () => Promise<string>,
    holds: (output: string) => boolean,
  ): Promise<string> => {
    this.#line('');
    for (const line of wrapCommand(argv, this.#width - 5)) this.#line(this.#paint('36', `   ${line}`));
    const startedAt = performance.now();
    const stopSpinner = this.#startSpinner(promise);
    let output: string;
    let held = false;
    try {
      output = await work();
      held = holds(output);
    } catch (error) {
      output = error instanceof Error ? error.message : String(error);
    }
    stopSpinner();
    const milliseconds = performance.now() - startedAt;
    this.#showOutput(output);
    const mark = held ? this.#paint('32', '✔') : this.#paint('31', '✖');
    const time = formatTime(milliseconds);
    const gap = this.#width - 5 - promise.length - time.length;
    this.#line(`   ${mark} ${promise}${' '.repeat(Math.max(2, gap))}${this.#paint('2', time)}`);
    const chapter = this.#chapters.at(-1);
    if (chapter !== undefined) {
      chapter.steps++;
      chapter.milliseconds += milliseconds;
    }
    if (!held) {
      this.#line('');
      this.#line(this.#paint('31', 'This step did not hold what it promised; the story ends here.'));
      throw new StepFailed(promise);
    }
    return output;
  };

  /** The closing table: chapters, steps and times. */
  summary(): void {
    const steps = this.#chapters.reduce((sum, chapter) => sum + chapter.steps, 0);
    const total = performance.now() - this.#startedAt;
    this.#line('');
    this.#line(this.#paint('1', `All ${steps} steps held, in ${(total / 1000).toFixed(1)} s`));
    for (const { title, steps: count, milliseconds } of this.#chapters) {
      const facts = `${String(count).padStart(2)} ${count === 1 ? 'step ' : 'steps'}`;
      this.#line(`   ${title.padEnd(22)}${facts}${formatTime(milliseconds).padStart(10)}`);
    }
  }

  #showOutput(output: string): void {
    const lines = output.split('\n');
    for (const line of lines.slice(0, maxOutputLines)) {
      this.#line(`     ${this.#paint('2', truncate(line, this.#width - 5))}`);
    }
    if (lines.length > maxOutputLines) this.#line(`     ... ${lines.length - maxOutputLines} more lines`);
  }

  #startSpinner(text: string): () => void {
    if (!this.#live) return () => {};
    let frame = 0;
    const draw = () => {
      this.#out.write(
        `\r   ${this.#paint('33', spinnerFrames[frame++ % spinnerFrames.length] ?? '')} ${text}`,
      );
    };
    draw();
    const timer = setInterval(draw, 80);
    return () => {
      clearInterval(timer);
      this.#out.write('\r\u001b[2K'); // back to the start of the line, and clear it
    };
  }

  #line(text: string): void {
    this.#out.write(`${text}\n`);
  }

  #paint(code: string, text: string): string {
    return this.#live && !process.env.NO_COLOR ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

function formatTime(milliseconds: number): string {
  return `${milliseconds.toFixed(0)} ms`;
}

function truncate(text: string, width: number): string {
  const plain = stripVTControlCharacters(text);
  return plain.length <= width ? plain : `${plain.slice(0, width - 1)}…`;
}

/** A command as one would type it, over several lines when it is long. */
function wrapCommand(argv: readonly string[], width: number): string[] {
  const words = argv.map((word) => (/^[\w@%+=:,./$-]+$/.test(word) ? word : `'${word}'`));
  const whole = `$ ${words.join(' ')}`;
  if (whole.length <= width) return [whole];
  const lines = fill(words, width - 6);
  return lines.map((line, index) => {
    const start = index === 0 ? '$ ' : '    ';
    return index < lines.length - 1 ? `${start}${line} \\` : `${start}${line}`;
  });
}

function wrap(text: string, width: number): string[] {
  return fill(text.split(' '), width);
}

function fill(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
