/** GET /events: what happens, as a stream of JSON lines. */
import { type EngineEvent, invalid } from '@seaway/engine';
import { eventLine } from '../docker/event.ts';
import { clientSignal, openStream } from '../http/hijack.ts';
import { type Filters, matches, matchesLabels, parseFilters, type Query, queryText } from '../http/query.ts';
import { parseAgoNs, parseTimeNs } from '../http/time.ts';
import type { RouteApp, RouteContext } from './context.ts';

/** Of parts of Docker that are not here: nothing happens to them. */
const foreignKinds = ['plugin', 'node', 'service', 'secret', 'config'] as const;
const filterKeys = [
  'type',
  'event',
  'container',
  'network',
  'image',
  'volume',
  'label',
  'daemon',
  'scope',
  ...foreignKinds,
] as const;
/** How much is kept for a client that does not read. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
/** Longest delay of a timer in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export function eventRoutes(app: RouteApp, { engine }: RouteContext): void {
  app.get('/events', async (request, reply) => {
    const query = request.query as Query;
    const filters = parseFilters(query, filterKeys);
    const since = eventTime(query, 'since');
    const until = eventTime(query, 'until');
    if (since !== undefined && until !== undefined && since > until) {
      throw invalid('invalid-query', `\`since\` time (${since}) cannot be after \`until\` time (${until})`);
    }
    const isWanted = (event: EngineEvent) =>
      (until === undefined || event.timeNanoseconds <= until) && isShown(event, filters);
    const signal = clientSignal(reply);
    const out = openStream(reply, 200, 'application/json');
    const write = (event: EngineEvent) => {
      if (!isWanted(event)) return;
      out.write(eventLine(event, request.apiVersion));
      // Events do not wait for anybody. Who misses some must know, and a broken connection says so.
      if (out.writableLength > MAX_UNREAD_BYTES) out.destroy();
    };
    // An end alone asks for all that is remembered up to there, as at Docker.
    if (since !== undefined || until !== undefined) {
      for (const event of engine.events.recent()) if (event.timeNanoseconds >= (since ?? 0n)) write(event);
    }
    const unsubscribe = engine.events.subscribe(write);
    const remainingMs =
      until === undefined ? undefined : Math.max(0, Number(until / 1_000_000n) - Date.now());
    const end = () => {
      clearTimeout(timer);
      unsubscribe();
      out.end();
    };
    const timer =
      remainingMs === undefined ? undefined : setTimeout(end, Math.min(remainingMs, MAX_TIMER_MS));
    signal.addEventListener('abort', end, { once: true });
  });
}

function eventTime(query: Query, name: string): bigint | undefined {
  const text = queryText(query, name);
  if (!text) return undefined;
  const time = parseTimeNs(text) ?? parseAgoNs(text, Date.now());
  if (time === undefined) throw invalid('invalid-query', `invalid value for ${name}: "${text}" is no time`);
  return time;
}

function isShown(event: EngineEvent, filters: Filters): boolean {
  const { type, action, actorId, attributes } = event;
  // The beginning of an id or a name is enough.
  const isActor = (kind: EngineEvent['type']) =>
    matches(
      filters,
      kind,
      (value) => type === kind && (actorId.startsWith(value) || (attributes.name ?? '').startsWith(value)),
    );
  return (
    matches(filters, 'type', (value) => value === type) &&
    // What was run follows the names of an exec's events, and the new state that of a health check's.
    matches(filters, 'event', (value) => value === action || action.startsWith(`${value}: `)) &&
    isActor('container') &&
    isActor('network') &&
    isActor('volume') &&
    isActor('daemon') &&
    matches(filters, 'image', (value) => isOfImage(event, value)) &&
    matches(filters, 'scope', (value) => value === 'local') &&
    foreignKinds.every((kind) => matches(filters, kind, () => false)) &&
    matchesLabels(filters, attributes)
  );
}

/** By id or name, which may be given without its tag; of a container, the image that it is made from. */
function isOfImage({ type, actorId, attributes }: EngineEvent, value: string): boolean {
  const name = (type === 'image' ? attributes.name : type === 'container' ? attributes.image : '') ?? '';
  return [actorId, name, withoutTag(name)].includes(value);
}

function withoutTag(name: string): string {
  return name.replace(/:[^:/]*$/, '');
}
