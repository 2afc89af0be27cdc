/** Pages for tables, given out in order and cleared before they are used again. */
import type { Gpa } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import type { Guest } from '../guest/access.ts'
import { PAGE_BYTES } from './unit.ts'

const EMPTY = new Uint8Array(PAGE_BYTES)

export class PagePool {
  readonly #guest: Guest
  readonly #start: Gpa
  readonly #pages: number
  #taken = 0

  constructor(guest: Guest, start: Gpa, pages: number) {
    this.#guest = guest
    this.#start = start
    this.#pages = pages
  }

  /** All pages are free again. */
  start(): void {
    this.#taken = 0
  }

  /** A page of zeros. */
  take(): Gpa {
    if (this.#taken === this.#pages) throw new ModelError(`expected ${this.#pages} pages of tables to be enough`)
    const gpa = this.#start + PAGE_BYTES * this.#taken++
    this.#guest.target.store(gpa, EMPTY)
    return gpa
  }
}
