// What a page costs: how its frames fall while something happens, and what its first load brings and takes.
import assert from 'node:assert/strict'

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
const spread = (values) => {
  const sorted = [...values].sort((left, right) => left - right)
  return { p50: at(sorted, 0.5), p95: at(sorted, 0.95), p99: at(sorted, 0.99), max: sorted.at(-1) ?? 0, count: sorted.length }
}
export const told = ({ p50, p95, p99, max }) => `p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms`

/**
 * Traces `of`, which asks for a frame for all it does: for each frame the processor time of the page's own thread, and the time between frames.
 * The first says what the page costs, whatever else the machine does; the second is what an eye sees here and now.
 */
export async function frames(browser, page, of) {
  await browser.startTracing(page, { categories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', '__metadata'] })
  await of()
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString())
  const asked = traceEvents.filter((event) => event.name === 'FireAnimationFrame')
  assert.ok(asked.length > 10, 'the trace has frames')
  const { pid, tid } = asked[0]
  const own = traceEvents.filter((event) => event.pid === pid && event.tid === tid)
  const tasks = own.filter((event) => event.name === 'RunTask' && event.ph === 'X').sort((left, right) => left.ts - right.ts)
  const starts = own.filter((event) => event.name === 'FireAnimationFrame').map((event) => event.ts).sort((left, right) => left - right)
  // A frame goes from the task that answers one request for a frame to the task that answers the next.
  const begins = tasks.filter((task) => starts.some((start) => start >= task.ts && start < task.ts + task.dur)).map((task) => task.ts)
  const work = begins.slice(0, -1).map((begin, index) => tasks.filter((task) => task.ts >= begin && task.ts < begins[index + 1]).reduce((sum, task) => sum + (task.tdur ?? task.dur), 0) / 1000)
  return { work: spread(work), between: spread(begins.slice(1).map((begin, index) => (begin - begins[index]) / 1000)) }
}

/** Loads `address` in a context that has seen nothing: bytes as they came over the wire, and milliseconds until `usable` holds. */
export async function firstLoad(browser, address, usable) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } })
  const page = await context.newPage()
  const client = await context.newCDPSession(page)
  await client.send('Network.enable')
  let bytes = 0
  let files = 0
  client.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength
    files += 1
  })
  await page.addInitScript((text) => {
    const seen = () => {
      if (document.body?.innerText.includes(text) && !document.querySelector('[data-state="loading"]')) globalThis.usableAt ??= performance.now()
      else requestAnimationFrame(seen)
    }
    requestAnimationFrame(seen)
  }, usable)
  await page.goto(address)
  await page.waitForFunction(() => globalThis.usableAt !== undefined)
  const milliseconds = await page.evaluate(() => globalThis.usableAt)
  await context.close()
  return { bytes, files, milliseconds }
}
