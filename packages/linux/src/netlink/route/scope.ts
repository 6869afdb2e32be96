/** Scopes of addresses and routes, shared by both. Source: linux/rtnetlink.h, enum rt_scope_t. */
export const scopes = { universe: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;

/** How far an address or a destination reaches; `ip` calls `universe` global. */
export type ScopeName = keyof typeof scopes;

const names = new Map(Object.entries(scopes).map(([name, number]) => [number as number, name as ScopeName]));

export function scopeNumber(scope: ScopeName): number {
  return scopes[scope];
}

export function scopeName(scope: number): ScopeName | number {
  return names.get(scope) ?? scope;
}
