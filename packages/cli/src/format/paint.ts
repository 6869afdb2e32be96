/** Colours for people at a terminal; none for pipes, and none where `NO_COLOR` is set (https://no-color.org). Pure. */
import { styleText } from 'node:util';

export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

/** Puts text in a colour, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

export const plain: Paint = (_colour, text) => text;

export const coloured: Paint = (colour, text) => styleText(colour, text, { validateStream: false });
