/** What `inspect` and `network inspect` share: fetch objects one by one, print them together. */
import { exitCodes } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { unescapeFormat } from '../format/listing.ts';
import { parseTemplate, renderTemplate } from '../format/template.ts';

/**
 * Prints all objects that `fetch` finds, as one indented JSON array, as JSON lines (`json`), or by a template, and
 * complains about the others. Resolves with exit code 1 when any was not found.
 * @throws TemplateError when the template is malformed or names a field that an object does not have.
 */
export async function inspectObjects(
  context: Context,
  names: readonly string[],
  format: string | undefined,
  fetch: (name: string) => Promise<unknown>,
): Promise<number> {
  const template =
    format === undefined || format === 'json' ? undefined : parseTemplate(unescapeFormat(format));
  const found: unknown[] = [];
  const complaints: string[] = [];
  for (const name of names) {
    try {
      found.push(await fetch(name));
    } catch (error) {
      complaints.push((error as Error).message);
    }
  }
  if (template !== undefined) {
    for (const object of found) context.print(`${renderTemplate(template, object)}\n`);
  } else if (format === 'json') {
    for (const object of found) context.print(`${JSON.stringify(object)}\n`);
  } else context.print(`${JSON.stringify(found, undefined, 4)}\n`);
  for (const complaint of complaints) context.complain(complaint);
  return complaints.length > 0 ? exitCodes.failure : 0;
}
