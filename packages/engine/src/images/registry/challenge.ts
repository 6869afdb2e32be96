/** What a registry wants to be told before it answers. Source: RFC 9110, section 11.6.1; Docker Registry v2 authentication. */

export type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: string; readonly service?: string; readonly scope?: string };

/** The challenge of a `WWW-Authenticate` header that we can meet, the strongest first; undefined when there is none. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const challenges = [
    ...(header ?? '').matchAll(
      /(?:^|,\s*)(Basic|Bearer)(?:\s+|$)((?:[\w-]+=(?:"(?:[^"\\]|\\.)*"|[^\s,"]+)(?:\s*,\s*(?=[\w-]+=))?)*)/gi,
    ),
  ];
  const parsed = challenges.map(([, scheme = '', text = '']) => {
    const parameters = new Map(
      [...text.matchAll(/([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)].map(
        ([, name = '', quoted, plain]) => [
          name.toLowerCase(),
          quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '',
        ],
      ),
    );
    return { scheme: scheme.toLowerCase(), parameters };
  });
  const bearer = parsed.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.get('realm'));
  if (bearer) {
    const { parameters } = bearer;
    const service = parameters.get('service');
    const scope = parameters.get('scope');
    return {
      scheme: 'bearer',
      realm: parameters.get('realm') ?? '',
      ...(service === undefined ? {} : { service }),
      ...(scope === undefined ? {} : { scope }),
    };
  }
  return parsed.some(({ scheme }) => scheme === 'basic') ? { scheme: 'basic' } : undefined;
}
