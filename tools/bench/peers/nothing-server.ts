/** Reads each request, answers `{}`, and prints its port. */
import { once } from "node:events";
import { serve } from "./serve.ts";

await serve((request) => once(request.resume(), "end"));
