/** The same schedules and disks, with the full counts that `npm run soak` asks for. */
import "./crash-schedules.property.test.js";
import "./full-disk.test.js";
