/* A libusb-1.0.dll for a machine without USB devices: as much of it as `sureflash list` calls then.
   It proves that the command finds the DLL and calls it; it stands in for nothing else. */
#include <stddef.h>

static void* nothing[1];

__declspec(dllexport) int libusb_init(void** context) {
  *context = nothing;
  return 0;
}
__declspec(dllexport) void libusb_exit(void* context) {
  (void)context;
}
__declspec(dllexport) long long libusb_get_device_list(void* context, void*** list) {
  (void)context;
  *list = nothing;
  return 0;
}
__declspec(dllexport) void libusb_free_device_list(void** list, int unref) {
  (void)list;
  (void)unref;
}
