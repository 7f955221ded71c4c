// A configuration on its way from a file to the form. It stays in the memory of the page, since a file may hold secrets.
import type { Imported } from './spelling'

let waiting: Imported | null = null

export function handOver(imported: Imported): void {
  waiting = imported
}

/** What was handed over, once. */
export function handedOver(): Imported | null {
  const taken = waiting
  waiting = null
  return taken
}
