/** What the options of a log driver add to each entry of a log, and `docker logs --details` shows. Pure. */
import type { ContainerConfig } from '../model/container.ts';

export interface LogAttributesInput {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly config: Pick<ContainerConfig, 'labels' | 'env' | 'image'>;
  /** `labels`, `labels-regex`, `env`, `env-regex` and `tag`; all others mean nothing here. */
  readonly options: Readonly<Record<string, string>>;
}

/** By their names; empty where no option asks for any. */
export function logAttributes(input: LogAttributesInput): ReadonlyMap<string, string> {
  const { options, config } = input;
  const variables = Object.fromEntries(
    config.env.map((entry) => {
      const [name = '', ...value] = entry.split('=');
      return [name, value.join('=')];
    }),
  );
  const tag = expandTag(options.tag ?? '', input);
  return new Map([
    ...chosen(config.labels, options.labels, options['labels-regex']),
    ...chosen(variables, options.env, options['env-regex']),
    ...(tag ? ([['tag', tag]] as const) : []),
  ]);
}

/** Those that are in a list of names, or whose names fit an expression. */
function chosen(
  all: Readonly<Record<string, string>>,
  names = '',
  expression = '',
): (readonly [string, string])[] {
  const listed = new Set(names.split(','));
  const pattern = expression === '' ? undefined : tryRegExp(expression);
  return Object.entries(all).filter(([name]) => listed.has(name) || pattern?.test(name));
}

function tryRegExp(expression: string): RegExp | undefined {
  try {
    return new RegExp(expression);
  } catch {
    return undefined;
  }
}

/** The fields of Docker's template for tags, without its functions. */
function expandTag(template: string, { id, name, imageId, config }: LogAttributesInput): string {
  const image = imageId.replace(/^sha256:/, '');
  const fields: Readonly<Record<string, string>> = {
    ID: id.slice(0, 12),
    FullID: id,
    Name: name,
    ImageID: image.slice(0, 12),
    ImageFullID: imageId,
    ImageName: config.image,
    DaemonName: 'docker',
  };
  return template.replaceAll(/\{\{\s*\.(\w+)\s*\}\}/g, (whole, field: string) => fields[field] ?? whole);
}
