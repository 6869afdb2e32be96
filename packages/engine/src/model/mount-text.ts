/** Docker's texts for mounts: `-v`, `--volumes-from` and the paths in them. Pure. */
import { type EngineError, invalid, messageOf } from '../base/errors.ts';
import {
  type BindRequest,
  type BindText,
  cleanPath,
  type Propagation,
  propagations,
  type VolumeMountRequest,
  type VolumesFrom,
} from './mounts.ts';

/** Options of `-v` by what they are about: of each kind at most one may be given. */
const modeKinds: readonly (readonly string[])[] = [
  ['ro', 'rw'],
  // What SELinux would do; kept for `inspect`.
  ['z', 'Z'],
  propagations,
  ['nocopy'],
  // Of no meaning on Linux.
  ['consistent', 'cached', 'delegated'],
];

function isMode(mode: string): boolean {
  if (mode === '') return true;
  const options = mode.split(',');
  return (
    options.every((option) => modeKinds.some((kind) => kind.includes(option))) &&
    modeKinds.every((kind) => options.filter((option) => kind.includes(option)).length <= 1)
  );
}

function propagationOf(mode: string): Propagation | undefined {
  return propagations.find((propagation) => mode.split(',').includes(propagation));
}

function isReadonly(mode: string): boolean {
  return mode.split(',').includes('ro');
}

/**
 * Reads `[SOURCE:]DESTINATION[:OPTIONS]`. A source that is a path is one of the host, any other is a volume's name.
 * @param volumeDriver of a volume that does not exist yet; empty: the default
 * @throws invalid in Docker's words
 */
export function parseBindText(text: string, volumeDriver: string): BindText {
  const parts = text.split(':');
  const [first = '', second = '', mode = ''] = parts;
  // A destination with options and no source would be a volume without a name, which takes none.
  if (first === '' || parts.length > 3 || (parts.length === 2 && isMode(second))) throw badText(text);
  if (!isMode(mode)) throw invalid('invalid-bind', `invalid mode: ${mode}`, { text });
  const source = parts.length === 1 ? '' : first;
  const target = parts.length === 1 ? first : second;
  const type = source.startsWith('/') ? 'bind' : 'volume';
  try {
    checkDestination(type, target);
  } catch (error) {
    throw badText(text, error);
  }
  const destination = cleanPath(target);
  const readonly = isReadonly(mode);
  const request =
    type === 'bind'
      ? bindRequest(cleanPath(source), destination, mode)
      : volumeRequest(source, destination, mode, volumeDriver);
  return { source: type === 'bind' ? cleanPath(source) : source, destination, readonly, text, request, mode };
}

function bindRequest(source: string, destination: string, mode: string): BindRequest {
  const propagation = propagationOf(mode);
  return {
    type: 'bind',
    source,
    destination,
    readonly: isReadonly(mode),
    createSource: true,
    ...(propagation ? { propagation } : {}),
  };
}

function volumeRequest(
  source: string,
  destination: string,
  mode: string,
  driver: string,
): VolumeMountRequest {
  return {
    type: 'volume',
    source,
    destination,
    readonly: isReadonly(mode),
    ...(mode.split(',').includes('nocopy') ? { noCopy: true } : {}),
    ...(driver ? { driver } : {}),
  };
}

function badText(text: string, cause?: unknown): EngineError {
  const detail = cause === undefined ? '' : `: ${messageOf(cause)}`;
  return invalid('invalid-bind', `invalid volume specification: '${text}'${detail}`, { text }, cause);
}

/** @throws invalid for a destination that nothing can be mounted on */
export function checkDestination(type: string, destination: string): void {
  if (destination === '') throw badMount(type, 'field Target must not be empty');
  if (cleanPath(destination) === '/') throw badMount(type, "invalid specification: destination can't be '/'");
  checkAbsolute(type, destination);
}

/** @throws invalid for a path that does not begin with a slash */
export function checkAbsolute(type: string, path: string): void {
  if (!path.startsWith('/')) {
    throw badMount(type, `invalid mount path: '${path}' mount path must be absolute`);
  }
}

/** What is wrong with a mount, in Docker's words. */
export function badMount(type: string, problem: string): EngineError {
  return invalid('invalid-mount', `invalid mount config for type "${type}": ${problem}`, { type });
}

/** Reads a key of `Volumes`: the destination of a volume of the container's own. @throws invalid */
export function parseVolumePath(path: string): string {
  try {
    checkDestination('volume', path);
  } catch (error) {
    throw badText(path, error);
  }
  return cleanPath(path);
}

/** Reads `CONTAINER[:ro|rw]`. @throws invalid for other options */
export function parseVolumesFrom(text: string): VolumesFrom {
  if (text === '') {
    throw invalid('invalid-volumes-from', 'volumes-from specification cannot be an empty string');
  }
  const [container = '', ...rest] = text.split(':');
  const mode = rest.join(':');
  if (!isMode(mode) || propagationOf(mode) || mode.split(',').includes('nocopy')) {
    throw invalid('invalid-volumes-from', `invalid mode: ${mode}`, { text });
  }
  return { container, readonly: isReadonly(mode), text };
}
