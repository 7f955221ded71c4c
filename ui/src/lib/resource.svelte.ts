// What a screen shows, with its five states: loading, data, empty (the screen's word), stale, failed.
import { untrack } from 'svelte'
import { ApiError, get, getAll } from './api'
import { clock, EVIDENCE_LIMIT } from './clock.svelte'
import { onEvents } from './stream.svelte'

export class Resource<T> {
  data = $state.raw<T | null>(null)
  error = $state.raw<ApiError | null>(null)
  receivedAt = $state<number | null>(null)
  loading = $state(false)
  #load: () => void = () => {}

  refresh = (): void => this.#load()

  /** The last answer is shown, but a newer one could not be had. */
  get stale(): boolean {
    return this.data !== null && this.error !== null
  }

  get age(): number | null {
    return this.receivedAt === null ? null : Math.max(0, (clock.now - this.receivedAt) / 1000)
  }

  /** What was read is too old to be shown as if it held now, whether or not anything has failed yet. */
  get aged(): boolean {
    return this.data !== null && (this.error !== null || (this.age ?? Infinity) > EVIDENCE_LIMIT)
  }

  bind(load: () => void): void {
    this.#load = load
  }
}

interface Options {
  /** Seconds between readings, while the page is seen. */
  every?: number
  /** Channels of the event stream after which to read anew. */
  channels?: string[]
  /** The link that events have to be of; all where none is named. */
  link?: () => string | null
  /** Reads all pages of a list. */
  all?: boolean
}

/** A list longer than this is not read anew because of events: some of its rows change at any time. */
const LONG = 1000
/** How often a long list is read, in seconds: below the age at which evidence says nothing any more. */
const EVERY_OF_LONG = 8
/** How rarely anything is read that is seen, in seconds: what is shown stays younger than evidence may be. */
const RAREST = 15
/** An answer may cost this share of the time until the next one. */
const SHARE = 60

/** Milliseconds from the begin of one reading to the next that an event asks for, after one that took `took`. */
export function apart(took: number): number {
  return Math.min(EVERY_OF_LONG * 1000, Math.max(1000, SHARE * took))
}

/** Milliseconds from the end of one reading to the next, of what is to be read every so many seconds. */
export function pause(every: number, took: number): number {
  return Math.min(Math.max(RAREST, every) * 1000, Math.max(every * 1000, SHARE * took))
}

function isLong(data: unknown): boolean {
  return ((data as { total?: number } | null)?.total ?? 0) > LONG && ((data as { items?: unknown[] }).items?.length ?? 0) > LONG
}

/** Reads `path()` while the component lives; null reads nothing. To be called while a component is made. */
export function resource<T>(path: () => string | null, options: Options = {}): Resource<T> {
  const result = new Resource<T>()
  const { every = 5, channels = [], all = false, link = () => null } = options
  $effect(() => {
    const address = path()
    result.data = null
    result.error = null
    result.receivedAt = null
    if (address === null) return
    let ended = false
    let timer: ReturnType<typeof setTimeout> | undefined
    let running: AbortController | null = null
    let startedAt = 0
    let took = 0
    let long = false
    const load = async () => {
      clearTimeout(timer)
      running?.abort()
      const own = new AbortController()
      running = own
      startedAt = performance.now()
      result.loading = true
      try {
        const data = await (all ? getAll(address, own.signal) : get(address, own.signal))
        if (own.signal.aborted) return
        result.data = data as T
        result.error = null
        result.receivedAt = untrack(() => clock.now)
        took = performance.now() - startedAt
        heed(isLong(data))
      } catch (cause) {
        if (own.signal.aborted) return
        result.error = cause instanceof ApiError ? cause : new ApiError(0, String(cause))
        // What is gone or forbidden is not shown as if it were there.
        if ([401, 403, 404].includes(result.error.status)) result.data = null
      }
      running = null
      result.loading = false
      if (!ended && every > 0) timer = setTimeout(whenSeen, pause(long ? Math.max(every, EVERY_OF_LONG) : every, took))
    }
    const whenSeen = () => {
      if (document.visibilityState === 'visible') void load()
    }
    const shown = () => {
      if (document.visibilityState === 'visible' && performance.now() - startedAt > 1000) void load()
    }
    let soon: ReturnType<typeof setTimeout> | undefined
    const notice = () => {
      // At most once a second, and never a second request beside the first.
      soon ??= setTimeout(() => {
        soon = undefined
        if (!running && document.visibilityState === 'visible') void load()
      }, Math.max(50, apart(took) - (performance.now() - startedAt)))
    }
    const of = untrack(link)
    const listen = () => (channels.length ? onEvents(channels, notice, of) : () => {})
    let off = listen()
    /** Turns events off or on, as the length of the list asks. */
    const heed = (now: boolean) => {
      if (now === long || ended) return
      long = now
      off()
      off = long ? () => {} : listen()
    }
    document.addEventListener('visibilitychange', shown)
    result.bind(() => void load())
    void load()
    return () => {
      ended = true
      clearTimeout(timer)
      clearTimeout(soon)
      running?.abort()
      off()
      document.removeEventListener('visibilitychange', shown)
    }
  })
  return result
}
