/** Runs of 4 KiB pages, and small caches of what is known of them. */

export interface Pages {
  /** Number of the first one. */
  readonly page: number
  readonly pages: number
}

/** Do the two runs share a page? */
export const overlap = (a: Pages, b: Pages): boolean => a.page < b.page + b.pages && b.page < a.page + a.pages

/** Put in front; the oldest one goes. */
export const remember = <T>(cache: T[], entry: T, most: number): void => {
  cache.unshift(entry)
  if (cache.length > most) cache.pop()
}
