export { AppendFile } from "./append-file.ts";
export type { Crc32, Frame, FrameContent, FrameRead, Point } from "./record-frame.ts";
export {
  FRAME_HEADER_BYTES,
  MAX_BODY_BYTES,
  MAX_KEY_BYTES,
  MAX_METRICS_BODY_BYTES,
  MAX_OBJECT_BODY_BYTES,
  readFrame,
} from "./record-frame.ts";
export { RecordReader } from "./record-reader.ts";
