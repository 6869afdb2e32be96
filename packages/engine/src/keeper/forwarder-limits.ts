/** How much one sandbox may ask of other servers at a time. */

/** Questions under way; more wait for their turn. */
export const MAX_IN_FLIGHT = 1024;
/** Questions that wait; more are refused. */
export const MAX_WAITING = 1024;
/** How many may be handed to a forwarder: what is more is refused before. */
export const MAX_HANDED_OVER = MAX_IN_FLIGHT + MAX_WAITING;
