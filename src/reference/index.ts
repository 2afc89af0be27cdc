export { type AnyBoard, boards, openBoardOf } from './boards.ts'
export { defaultOptions, openPlatform, type PlatformOptions, type PlatformParts } from './platform.ts'
