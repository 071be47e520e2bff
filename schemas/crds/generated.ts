// Made by generate.ts from the YAML files beside it. Do not edit.
// deno-fmt-ignore-file
import type { CustomResourceDefinition } from "./definition.ts";

export const CRDS: readonly CustomResourceDefinition[] = [
{
 "apiVersion": "apiextensions.k8s.io/v1",
 "kind": "CustomResourceDefinition",
 "metadata": {
  "name": "trafficsplits.split.smi-spec.io"
 },
 "spec": {
  "group": "split.smi-spec.io",
  "scope": "Namespaced",
  "names": {
   "kind": "TrafficSplit",
   "listKind": "TrafficSplitList",
   "plural": "trafficsplits",
   "singular": "trafficsplit",
   "shortNames": [
    "ts"
   ]
  },
  "conversion": {
   "strategy": "None"
  },
  "versions": [
   {
    "name": "v1alpha4",
    "served": true,
    "storage": true,
    "additionalPrinterColumns": [
     {
      "name": "Service",
      "type": "string",
      "description": "The root Service",
      "jsonPath": ".spec.service"
     }
    ],
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "What is split, and among which Services",
        "required": [
         "service",
         "backends"
        ],
        "properties": {
         "service": {
          "type": "string",
          "description": "Name of the root Service, which clients call"
         },
         "matches": {
          "type": "array",
          "description": "Route groups; only requests that one of them matches are split",
          "items": {
           "type": "object",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "apiGroup": {
             "type": "string",
             "description": "Group of the route group, specs.smi-spec.io"
            },
            "kind": {
             "type": "string",
             "description": "Kind of the route group",
             "enum": [
              "HTTPRouteGroup"
             ]
            },
            "name": {
             "type": "string",
             "description": "Name of a route group in the namespace of the split"
            }
           }
          }
         },
         "backends": {
          "type": "array",
          "description": "Services that share the requests",
          "items": {
           "type": "object",
           "required": [
            "service",
            "weight"
           ],
           "properties": {
            "service": {
             "type": "string",
             "description": "Name of a Service that takes a share"
            },
            "weight": {
             "type": "number",
             "description": "Share relative to the other backends, a whole number"
            }
           }
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha3",
    "served": true,
    "storage": false,
    "additionalPrinterColumns": [
     {
      "name": "Service",
      "type": "string",
      "description": "The root Service",
      "jsonPath": ".spec.service"
     }
    ],
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "What is split, and among which Services",
        "required": [
         "service",
         "backends"
        ],
        "properties": {
         "service": {
          "type": "string",
          "description": "Name of the root Service, which clients call"
         },
         "matches": {
          "type": "array",
          "description": "Route groups; only requests that one of them matches are split",
          "items": {
           "type": "object",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "apiGroup": {
             "type": "string",
             "description": "Group of the route group, specs.smi-spec.io"
            },
            "kind": {
             "type": "string",
             "description": "Kind of the route group",
             "enum": [
              "HTTPRouteGroup"
             ]
            },
            "name": {
             "type": "string",
             "description": "Name of a route group in the namespace of the split"
            }
           }
          }
         },
         "backends": {
          "type": "array",
          "description": "Services that share the requests",
          "items": {
           "type": "object",
           "required": [
            "service",
            "weight"
           ],
           "properties": {
            "service": {
             "type": "string",
             "description": "Name of a Service that takes a share"
            },
            "weight": {
             "type": "number",
             "description": "Share relative to the other backends, a whole number"
            }
           }
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha2",
    "served": true,
    "storage": false,
    "additionalPrinterColumns": [
     {
      "name": "Service",
      "type": "string",
      "description": "The root Service",
      "jsonPath": ".spec.service"
     }
    ],
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "What is split, and among which Services",
        "required": [
         "service",
         "backends"
        ],
        "properties": {
         "service": {
          "type": "string",
          "description": "Name of the root Service, which clients call"
         },
         "backends": {
          "type": "array",
          "description": "Services that share the requests",
          "items": {
           "type": "object",
           "required": [
            "service",
            "weight"
           ],
           "properties": {
            "service": {
             "type": "string",
             "description": "Name of a Service that takes a share"
            },
            "weight": {
             "type": "number",
             "description": "Share relative to the other backends, a whole number"
            }
           }
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha1",
    "served": true,
    "storage": false,
    "additionalPrinterColumns": [
     {
      "name": "Service",
      "type": "string",
      "description": "The root Service",
      "jsonPath": ".spec.service"
     }
    ],
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "What is split, and among which Services",
        "required": [
         "service",
         "backends"
        ],
        "properties": {
         "service": {
          "type": "string",
          "description": "Name of the root Service, which clients call"
         },
         "backends": {
          "type": "array",
          "description": "Services that share the requests",
          "items": {
           "type": "object",
           "required": [
            "service",
            "weight"
           ],
           "properties": {
            "service": {
             "type": "string",
             "description": "Name of a Service that takes a share"
            },
            "weight": {
             "description": "Share relative to the other backends, a quantity such as 500m or 1",
             "x-kubernetes-int-or-string": true,
             "anyOf": [
              {
               "type": "integer"
              },
              {
               "type": "string"
              }
             ],
             "pattern": "^[-+]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"
            }
           }
          }
         }
        }
       }
      }
     }
    }
   }
  ]
 }
},
{
 "apiVersion": "apiextensions.k8s.io/v1",
 "kind": "CustomResourceDefinition",
 "metadata": {
  "name": "httproutegroups.specs.smi-spec.io"
 },
 "spec": {
  "group": "specs.smi-spec.io",
  "scope": "Namespaced",
  "names": {
   "kind": "HTTPRouteGroup",
   "listKind": "HTTPRouteGroupList",
   "plural": "httproutegroups",
   "singular": "httproutegroup",
   "shortNames": [
    "htr"
   ]
  },
  "conversion": {
   "strategy": "None"
  },
  "versions": [
   {
    "name": "v1alpha4",
    "served": true,
    "storage": true,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "anyOf": [
       {
        "required": [
         "spec"
        ]
       },
       {
        "required": [
         "matches"
        ]
       }
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "The matches of the group",
        "required": [
         "matches"
        ],
        "properties": {
         "matches": {
          "type": "array",
          "description": "Sets of requests; the group matches what any of them matches",
          "items": {
           "type": "object",
           "required": [
            "name"
           ],
           "properties": {
            "name": {
             "type": "string",
             "description": "Name of the match, unique in its group"
            },
            "pathRegex": {
             "type": "string",
             "description": "Regular expression for the path, anchored at its beginning"
            },
            "methods": {
             "type": "array",
             "description": "HTTP methods in upper case, or \"*\"; none means every method",
             "items": {
              "type": "string",
              "enum": [
               "*",
               "GET",
               "HEAD",
               "PUT",
               "POST",
               "DELETE",
               "CONNECT",
               "OPTIONS",
               "TRACE",
               "PATCH"
              ]
             }
            },
            "headers": {
             "description": "Header names and regular expressions, as a map or as a list of maps; all must match",
             "x-kubernetes-preserve-unknown-fields": true
            }
           }
          }
         }
        }
       },
       "matches": {
        "type": "array",
        "description": "Where v1alpha1 and v1alpha2 have the matches; spec.matches counts if both are given",
        "items": {
         "type": "object",
         "required": [
          "name"
         ],
         "properties": {
          "name": {
           "type": "string",
           "description": "Name of the match, unique in its group"
          },
          "pathRegex": {
           "type": "string",
           "description": "Regular expression for the path, anchored at its beginning"
          },
          "methods": {
           "type": "array",
           "description": "HTTP methods in upper case, or \"*\"; none means every method",
           "items": {
            "type": "string",
            "enum": [
             "*",
             "GET",
             "HEAD",
             "PUT",
             "POST",
             "DELETE",
             "CONNECT",
             "OPTIONS",
             "TRACE",
             "PATCH"
            ]
           }
          },
          "headers": {
           "description": "Header names and regular expressions, as a map or as a list of maps; all must match",
           "x-kubernetes-preserve-unknown-fields": true
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha3",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "anyOf": [
       {
        "required": [
         "spec"
        ]
       },
       {
        "required": [
         "matches"
        ]
       }
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "The matches of the group",
        "required": [
         "matches"
        ],
        "properties": {
         "matches": {
          "type": "array",
          "description": "Sets of requests; the group matches what any of them matches",
          "items": {
           "type": "object",
           "required": [
            "name"
           ],
           "properties": {
            "name": {
             "type": "string",
             "description": "Name of the match, unique in its group"
            },
            "pathRegex": {
             "type": "string",
             "description": "Regular expression for the path, anchored at its beginning"
            },
            "methods": {
             "type": "array",
             "description": "HTTP methods in upper case, or \"*\"; none means every method",
             "items": {
              "type": "string",
              "enum": [
               "*",
               "GET",
               "HEAD",
               "PUT",
               "POST",
               "DELETE",
               "CONNECT",
               "OPTIONS",
               "TRACE",
               "PATCH"
              ]
             }
            },
            "headers": {
             "description": "Header names and regular expressions, as a map or as a list of maps; all must match",
             "x-kubernetes-preserve-unknown-fields": true
            }
           }
          }
         }
        }
       },
       "matches": {
        "type": "array",
        "description": "Where v1alpha1 and v1alpha2 have the matches; spec.matches counts if both are given",
        "items": {
         "type": "object",
         "required": [
          "name"
         ],
         "properties": {
          "name": {
           "type": "string",
           "description": "Name of the match, unique in its group"
          },
          "pathRegex": {
           "type": "string",
           "description": "Regular expression for the path, anchored at its beginning"
          },
          "methods": {
           "type": "array",
           "description": "HTTP methods in upper case, or \"*\"; none means every method",
           "items": {
            "type": "string",
            "enum": [
             "*",
             "GET",
             "HEAD",
             "PUT",
             "POST",
             "DELETE",
             "CONNECT",
             "OPTIONS",
             "TRACE",
             "PATCH"
            ]
           }
          },
          "headers": {
           "description": "Header names and regular expressions, as a map or as a list of maps; all must match",
           "x-kubernetes-preserve-unknown-fields": true
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha2",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "matches"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "matches": {
        "type": "array",
        "description": "Sets of requests; the group matches what any of them matches",
        "items": {
         "type": "object",
         "required": [
          "name"
         ],
         "properties": {
          "name": {
           "type": "string",
           "description": "Name of the match, unique in its group"
          },
          "pathRegex": {
           "type": "string",
           "description": "Regular expression for the path, anchored at its beginning"
          },
          "methods": {
           "type": "array",
           "description": "HTTP methods in upper case, or \"*\"; none means every method",
           "items": {
            "type": "string",
            "enum": [
             "*",
             "GET",
             "HEAD",
             "PUT",
             "POST",
             "DELETE",
             "CONNECT",
             "OPTIONS",
             "TRACE",
             "PATCH"
            ]
           }
          },
          "headers": {
           "description": "Header names and regular expressions, as a map or as a list of maps; all must match",
           "x-kubernetes-preserve-unknown-fields": true
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha1",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "matches"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "matches": {
        "type": "array",
        "description": "Sets of requests; the group matches what any of them matches",
        "items": {
         "type": "object",
         "required": [
          "name"
         ],
         "properties": {
          "name": {
           "type": "string",
           "description": "Name of the match, unique in its group"
          },
          "pathRegex": {
           "type": "string",
           "description": "Regular expression for the path, anchored at its beginning"
          },
          "methods": {
           "type": "array",
           "description": "HTTP methods in upper case, or \"*\"; none means every method",
           "items": {
            "type": "string",
            "enum": [
             "*",
             "GET",
             "HEAD",
             "PUT",
             "POST",
             "DELETE",
             "CONNECT",
             "OPTIONS",
             "TRACE",
             "PATCH"
            ]
           }
          }
         }
        }
       }
      }
     }
    }
   }
  ]
 }
},
{
 "apiVersion": "apiextensions.k8s.io/v1",
 "kind": "CustomResourceDefinition",
 "metadata": {
  "name": "tcproutes.specs.smi-spec.io"
 },
 "spec": {
  "group": "specs.smi-spec.io",
  "scope": "Namespaced",
  "names": {
   "kind": "TCPRoute",
   "listKind": "TCPRouteList",
   "plural": "tcproutes",
   "singular": "tcproute",
   "shortNames": [
    "tr"
   ]
  },
  "conversion": {
   "strategy": "None"
  },
  "versions": [
   {
    "name": "v1alpha4",
    "served": true,
    "storage": true,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "Which TCP traffic this is",
        "required": [
         "matches"
        ],
        "properties": {
         "matches": {
          "type": "object",
          "description": "What the traffic has in common; one object, not a list",
          "required": [
           "ports"
          ],
          "properties": {
           "name": {
            "type": "string",
            "description": "Name of the match"
           },
           "ports": {
            "type": "array",
            "description": "Destination ports; none means every port",
            "items": {
             "type": "integer",
             "minimum": 1,
             "maximum": 65535
            }
           }
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha3",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "Empty in this version"
       }
      }
     }
    }
   },
   {
    "name": "v1alpha2",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       }
      }
     }
    }
   },
   {
    "name": "v1alpha1",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       }
      }
     }
    }
   }
  ]
 }
},
{
 "apiVersion": "apiextensions.k8s.io/v1",
 "kind": "CustomResourceDefinition",
 "metadata": {
  "name": "traffictargets.access.smi-spec.io"
 },
 "spec": {
  "group": "access.smi-spec.io",
  "scope": "Namespaced",
  "names": {
   "kind": "TrafficTarget",
   "listKind": "TrafficTargetList",
   "plural": "traffictargets",
   "singular": "traffictarget",
   "shortNames": [
    "tt"
   ]
  },
  "conversion": {
   "strategy": "None"
  },
  "versions": [
   {
    "name": "v1alpha3",
    "served": true,
    "storage": true,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "anyOf": [
       {
        "required": [
         "spec"
        ]
       },
       {
        "required": [
         "destination"
        ]
       }
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "Who may call whom, and how",
        "required": [
         "destination",
         "rules",
         "sources"
        ],
        "properties": {
         "destination": {
          "type": "object",
          "description": "Who may be called",
          "required": [
           "kind",
           "name"
          ],
          "properties": {
           "kind": {
            "type": "string",
            "description": "Kind of the identity, ServiceAccount"
           },
           "name": {
            "type": "string",
            "description": "Name of the identity"
           },
           "namespace": {
            "type": "string",
            "description": "Namespace of the identity; the target's own if left out"
           },
           "port": {
            "description": "The one port that is allowed",
            "x-kubernetes-int-or-string": true,
            "anyOf": [
             {
              "type": "integer"
             },
             {
              "type": "string"
             }
            ]
           }
          }
         },
         "rules": {
          "type": "array",
          "minItems": 1,
          "description": "Routes that are allowed; any of them",
          "items": {
           "type": "object",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "kind": {
             "type": "string",
             "description": "Kind of the route",
             "enum": [
              "HTTPRouteGroup",
              "TCPRoute",
              "UDPRoute"
             ]
            },
            "name": {
             "type": "string",
             "description": "Name of a route in the namespace of the target"
            },
            "matches": {
             "type": "array",
             "description": "Names of matches of the route group; none means all of them",
             "items": {
              "type": "string"
             }
            }
           }
          }
         },
         "sources": {
          "type": "array",
          "minItems": 1,
          "description": "Who may call",
          "items": {
           "type": "object",
           "description": "Who may call",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "kind": {
             "type": "string",
             "description": "Kind of the identity, ServiceAccount"
            },
            "name": {
             "type": "string",
             "description": "Name of the identity"
            },
            "namespace": {
             "type": "string",
             "description": "Namespace of the identity; the target's own if left out"
            }
           }
          }
         }
        }
       },
       "destination": {
        "type": "object",
        "description": "Who may be called",
        "required": [
         "kind",
         "name"
        ],
        "properties": {
         "kind": {
          "type": "string",
          "description": "Kind of the identity, ServiceAccount"
         },
         "name": {
          "type": "string",
          "description": "Name of the identity"
         },
         "namespace": {
          "type": "string",
          "description": "Namespace of the identity; the target's own if left out"
         },
         "port": {
          "description": "The one port that is allowed",
          "x-kubernetes-int-or-string": true,
          "anyOf": [
           {
            "type": "integer"
           },
           {
            "type": "string"
           }
          ]
         }
        }
       },
       "specs": {
        "type": "array",
        "description": "Routes that are allowed; any of them",
        "items": {
         "type": "object",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the route",
           "enum": [
            "HTTPRouteGroup",
            "TCPRoute",
            "UDPRoute"
           ]
          },
          "name": {
           "type": "string",
           "description": "Name of a route in the namespace of the target"
          },
          "matches": {
           "type": "array",
           "description": "Names of matches of the route group; none means all of them",
           "items": {
            "type": "string"
           }
          }
         }
        }
       },
       "sources": {
        "type": "array",
        "description": "Who may call",
        "items": {
         "type": "object",
         "description": "Who may call",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the identity, ServiceAccount"
          },
          "name": {
           "type": "string",
           "description": "Name of the identity"
          },
          "namespace": {
           "type": "string",
           "description": "Namespace of the identity; the target's own if left out"
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha2",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "anyOf": [
       {
        "required": [
         "spec"
        ]
       },
       {
        "required": [
         "destination"
        ]
       }
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "Who may call whom, and how",
        "required": [
         "destination"
        ],
        "properties": {
         "destination": {
          "type": "object",
          "description": "Who may be called",
          "required": [
           "kind",
           "name"
          ],
          "properties": {
           "kind": {
            "type": "string",
            "description": "Kind of the identity, ServiceAccount"
           },
           "name": {
            "type": "string",
            "description": "Name of the identity"
           },
           "namespace": {
            "type": "string",
            "description": "Namespace of the identity; the target's own if left out"
           },
           "port": {
            "description": "The one port that is allowed",
            "x-kubernetes-int-or-string": true,
            "anyOf": [
             {
              "type": "integer"
             },
             {
              "type": "string"
             }
            ]
           }
          }
         },
         "rules": {
          "type": "array",
          "description": "Routes that are allowed; any of them",
          "items": {
           "type": "object",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "kind": {
             "type": "string",
             "description": "Kind of the route",
             "enum": [
              "HTTPRouteGroup",
              "TCPRoute"
             ]
            },
            "name": {
             "type": "string",
             "description": "Name of a route in the namespace of the target"
            },
            "matches": {
             "type": "array",
             "description": "Names of matches of the route group; none means all of them",
             "items": {
              "type": "string"
             }
            }
           }
          }
         },
         "sources": {
          "type": "array",
          "description": "Who may call",
          "items": {
           "type": "object",
           "description": "Who may call",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "kind": {
             "type": "string",
             "description": "Kind of the identity, ServiceAccount"
            },
            "name": {
             "type": "string",
             "description": "Name of the identity"
            },
            "namespace": {
             "type": "string",
             "description": "Namespace of the identity; the target's own if left out"
            }
           }
          }
         }
        }
       },
       "destination": {
        "type": "object",
        "description": "Who may be called",
        "required": [
         "kind",
         "name"
        ],
        "properties": {
         "kind": {
          "type": "string",
          "description": "Kind of the identity, ServiceAccount"
         },
         "name": {
          "type": "string",
          "description": "Name of the identity"
         },
         "namespace": {
          "type": "string",
          "description": "Namespace of the identity; the target's own if left out"
         },
         "port": {
          "description": "The one port that is allowed",
          "x-kubernetes-int-or-string": true,
          "anyOf": [
           {
            "type": "integer"
           },
           {
            "type": "string"
           }
          ]
         }
        }
       },
       "specs": {
        "type": "array",
        "description": "Routes that are allowed; any of them",
        "items": {
         "type": "object",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the route",
           "enum": [
            "HTTPRouteGroup",
            "TCPRoute"
           ]
          },
          "name": {
           "type": "string",
           "description": "Name of a route in the namespace of the target"
          },
          "matches": {
           "type": "array",
           "description": "Names of matches of the route group; none means all of them",
           "items": {
            "type": "string"
           }
          }
         }
        }
       },
       "sources": {
        "type": "array",
        "description": "Who may call",
        "items": {
         "type": "object",
         "description": "Who may call",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the identity, ServiceAccount"
          },
          "name": {
           "type": "string",
           "description": "Name of the identity"
          },
          "namespace": {
           "type": "string",
           "description": "Namespace of the identity; the target's own if left out"
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha1",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "destination"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "destination": {
        "type": "object",
        "description": "Who may be called",
        "required": [
         "kind",
         "name"
        ],
        "properties": {
         "kind": {
          "type": "string",
          "description": "Kind of the identity, ServiceAccount"
         },
         "name": {
          "type": "string",
          "description": "Name of the identity"
         },
         "namespace": {
          "type": "string",
          "description": "Namespace of the identity; the target's own if left out"
         },
         "port": {
          "description": "The one port that is allowed",
          "x-kubernetes-int-or-string": true,
          "anyOf": [
           {
            "type": "integer"
           },
           {
            "type": "string"
           }
          ]
         }
        }
       },
       "specs": {
        "type": "array",
        "description": "Routes that are allowed; any of them",
        "items": {
         "type": "object",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the route",
           "enum": [
            "HTTPRouteGroup",
            "TCPRoute"
           ]
          },
          "name": {
           "type": "string",
           "description": "Name of a route in the namespace of the target"
          },
          "matches": {
           "type": "array",
           "description": "Names of matches of the route group; none means all of them",
           "items": {
            "type": "string"
           }
          }
         }
        }
       },
       "sources": {
        "type": "array",
        "description": "Who may call",
        "items": {
         "type": "object",
         "description": "Who may call",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the identity, ServiceAccount"
          },
          "name": {
           "type": "string",
           "description": "Name of the identity"
          },
          "namespace": {
           "type": "string",
           "description": "Namespace of the identity; the target's own if left out"
          }
         }
        }
       }
      }
     }
    }
   }
  ]
 }
},
];
