// What a screen shows, with its five states: loading, data, empty (the screen's word), stale, failed.
import { ApiError, get, getAll } from './api'
import { clock } from './clock.svelte'
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

  bind(load: () => void): void {
    this.#load = load
  }
}

interface Options {
  /** Seconds between readings, while the page is seen. */
  every?: number
  /** Channels of the event stream after which to read anew. */
  channels?: string[]
  /** Reads all pages of a list. */
  all?: boolean
}

/** Reads `path()` while the component lives; null reads nothing. To be called while a component is made. */
export function resource<T>(path: () => string | null, options: Options = {}): Resource<T> {
  const result = new Resource<T>()
  const { every = 5, channels = [], all = false } = options
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
        result.receivedAt = clock.now
      } catch (cause) {
        if (own.signal.aborted) return
        result.error = cause instanceof ApiError ? cause : new ApiError(0, String(cause))
        // What is gone or forbidden is not shown as if it were there.
        if ([401, 403, 404].includes(result.error.status)) result.data = null
      }
      running = null
      result.loading = false
      if (!ended && every > 0) timer = setTimeout(whenSeen, every * 1000)
    }
    const whenSeen = () => {
      if (document.visibilityState === 'visible') void load()
    }
    const shown = () => {
      if (document.visibilityState === 'visible' && performance.now() - startedAt > 1000) void load()
    }
    let soon: ReturnType<typeof setTimeout> | undefined
    const off = channels.length
      ? onEvents(channels, () => {
          // At most once a second, and never a second request beside the first.
          soon ??= setTimeout(() => {
            soon = undefined
            if (!running && document.visibilityState === 'visible') void load()
          }, Math.max(50, 1000 - (performance.now() - startedAt)))
        })
      : () => {}
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
