import { randomInt } from 'node:crypto';

const qualities =
  'able bold brisk bright calm clear crisp deft eager early even fair fast fine firm fond free fresh glad gentle grand happy keen kind light lively lucid merry mild neat noble open patient plain polite prompt proud pure quick quiet ready royal safe sharp silent smooth solid steady still sturdy sunny swift tidy trim true vivid warm wise witty'.split(
    ' ',
  );
const things =
  'albatross anchor avocet beacon bosun breeze brigantine buoy capstan channel clipper cormorant curlew current cutter dhow dinghy dolphin dory estuary ferry fjord frigate gannet gull halyard harbour heron islet jetty keel kestrel lagoon lantern ketch lighthouse lugger mainsail mariner mast osprey otter packet pelican petrel pier pilot plover porpoise puffin quay reef rudder sandpiper schooner seal sextant shearwater skerry sloop sound spinnaker strait tern tide tiller turnstone wharf windlass yawl'.split(
    ' ',
  );

/** A name for a container that was given none, `quality_thing`. @param isTaken decides whether to try another */
export function randomName(isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const base = `${qualities[randomInt(qualities.length)]}_${things[randomInt(things.length)]}`;
    // After a few collisions the names are getting used up: a number makes room.
    const name = attempt < 5 ? base : `${base}${randomInt(100 * attempt)}`;
    if (!isTaken(name)) return name;
  }
}
