# A wheel brings what it needs with it: the libraries of Debian that the engine and the program use are
# linked as archives, so that nothing but glibc and the C++ runtime is asked of a machine
# (manylinux). A folder with those archives alone comes before all others where the linker looks.
set(quire_archives xxhash crypto ssl utf8proc pcre2-8 edit tinfo bsd md)
set(quire_archive_folder "${CMAKE_BINARY_DIR}/archives")
file(MAKE_DIRECTORY "${quire_archive_folder}")
set(quire_missing_archives)
foreach(name IN LISTS quire_archives)
  find_library(archive_${name} NAMES lib${name}.a)
  if(archive_${name})
    file(CREATE_LINK "${archive_${name}}" "${quire_archive_folder}/lib${name}.a" SYMBOLIC)
  else()
    list(APPEND quire_missing_archives "lib${name}.a")
  endif()
endforeach()
if(quire_missing_archives)
  message(WARNING "no ${quire_missing_archives}: linked as shared libraries, for this machine alone")
  file(REMOVE_RECURSE "${quire_archive_folder}")
else()
  set(OPENSSL_USE_STATIC_LIBS ON)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a) # for what pkg-config finds by its path
  foreach(kind EXE SHARED MODULE)
    string(PREPEND CMAKE_${kind}_LINKER_FLAGS "-L${quire_archive_folder} ")
  endforeach()
endif()

# After the engine's targets are there: what the shared libedit brings along.
function(quire_link_archives)
  if(NOT quire_missing_archives)
    target_link_libraries(quire_cli PRIVATE edit tinfo bsd md)
  endif()
endfunction()
