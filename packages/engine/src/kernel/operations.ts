/**
 * What the engine asks of the kernel, as functions that run on a kernel thread: they may sleep in the kernel, so
 * they are never called on the event loop. Each `ensure` can be repeated, each `remove` treats "already gone" as
 * done. Arguments and results are plain data, because they cross threads.
 */
export * from './bridges.ts';
export * from './connections.ts';
export * from './forwarding.ts';
export * from './host.ts';
export * from './links.ts';
export * from './mounts.ts';
export * from './namespaces.ts';
