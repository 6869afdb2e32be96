/** Asks the person at the terminal before something is lost. */
import { createInterface } from 'node:readline/promises';
import type { Context } from '../context.ts';

/** Whether the next line of stdin is a yes; the end of stdin is a no. */
export async function confirm(context: Context, question: string): Promise<boolean> {
  context.print(`${question} [y/N] `);
  const lines = createInterface({ input: context.terminal.stdin });
  for await (const line of lines) return line.trim().toLowerCase() === 'y';
  return false;
}
