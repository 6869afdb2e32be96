/**
 * A container can be named with a slash: `/web`, and by a link `web/db`. In the path of a request that takes more
 * parts than the routes expect of a name.
 */

/**
 * Writes the name of a container in a path as one part of it.
 * @param url path without version, and query
 */
export function foldContainerName(method: string, url: string): string {
  const [, path = '', query = ''] = /^([^?]*)(.*)$/s.exec(url) ?? [];
  const [, name = '', action = ''] = splitName(method, path) ?? [];
  return name === '' ? url : `/containers/${name.replaceAll('/', '%2F')}${action}${query}`;
}

function splitName(method: string, path: string): RegExpExecArray | null {
  if (path.endsWith('/attach/ws')) return null;
  return method === 'DELETE'
    ? /^\/containers\/(\/?[^/]+(?:\/[^/]+)?)$/.exec(path)
    : /^\/containers\/(\/?[^/]+(?:\/[^/]+)?)(\/[^/]+)$/.exec(path);
}
